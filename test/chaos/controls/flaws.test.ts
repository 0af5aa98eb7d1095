import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { brokenLine, buildSettings } from './broken-build.ts'
import { type Flaw, replacePiece } from './flaw.ts'
import { FLAWS } from './flaws.ts'

const ROOT = new URL('../../../', import.meta.url)

test.each(Object.values<Flaw>(FLAWS))('"$name" breaks what is there, and leaves what can be read', ({ pieces }) => {
  for (const [file, own] of Map.groupBy(pieces, (piece) => piece.file)) {
    const text = readFileSync(new URL(file, ROOT), 'utf8')
    const broken = own.reduce(replacePiece, text)
    expect(broken).not.toBe(text)
    if (file.endsWith('.ts')) stripTypeScriptTypes(broken)
  }
})

test('a piece that is not there, or twice, is told by its file', () => {
  const piece = { file: 'consumers/gate.ts', is: 'ledger', becomes: '' }
  expect(() => replacePiece('nothing', piece)).toThrow('consumers/gate.ts has this piece 0 times')
  expect(() => replacePiece('ledger ledger', piece)).toThrow('consumers/gate.ts has this piece 2 times')
})

const run = promisify(execFile)

/** Runs a line of code in a process that was started with a flaw. */
async function runBroken(flaw: Flaw, code: string): Promise<{ readonly stdout: string; readonly stderr: string }> {
  return await run(process.execPath, ['--input-type=module', '-e', code], {
    cwd: ROOT,
    env: { ...process.env, ...buildSettings(flaw) },
  })
}

test('a process that is started with a flaw runs the broken module, and says so', async () => {
  const code = `const { parseAnswer } = await import(process.cwd() + '/consumers/ledger/entry.ts')
    console.log(parseAnswer('gnu${'0'.repeat(14)}0').uncertain)`
  const { stdout, stderr } = await runBroken(FLAWS.uncertainIsCertain, code)
  expect(stdout).toBe('false\n')
  expect(stderr).toContain(brokenLine(FLAWS.uncertainIsCertain.name, FLAWS.uncertainIsCertain.pieces[0]))
})

test('and the broken script', async () => {
  const code = `import { readFileSync } from 'node:fs'
    console.log(readFileSync(new URL('file://' + process.cwd() + '/consumers/ledger/settle.lua'), 'utf8').includes("return {'fenced'}"))`
  expect((await runBroken(FLAWS.noFence, code)).stdout).toBe('false\n')
})

test('a flaw that is not known ends the process', async () => {
  await expect(runBroken({ name: 'nothing of this kind', pieces: [] }, '')).rejects.toThrow('there is no flaw called')
})
