import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { check } from '../checker/check.ts'
import { sample } from '../checker/sample.ts'
import { loadHistory, saveHistory } from './save.ts'

function ownFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-histories-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

test.each([true, false])(
  'a saved run is loaded as it was, and judged the same, compressed: %s',
  async (isCompressed) => {
    const folder = ownFolder()
    const run = sample({ effects: sample().effects.slice(0, -1) })
    await saveHistory(folder, run, { isCompressed })
    const loaded = await loadHistory(folder)
    expect(loaded).toStrictEqual(run)
    expect(check(loaded)).toStrictEqual(check(run))
  },
)

test('a run that was not saved to the end is not loaded', async () => {
  const folder = ownFolder()
  await saveHistory(folder, sample())
  const file = join(folder, 'topic.jsonl')
  writeFileSync(file, readFileSync(file, 'utf8').slice(0, -10))
  await expect(loadHistory(folder)).rejects.toThrow()
  rmSync(file)
  await expect(loadHistory(folder)).rejects.toThrow()
})
