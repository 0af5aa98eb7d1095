import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { expect, test } from 'vitest'
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
