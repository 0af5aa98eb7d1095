import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { FaultEntry } from '../histories/history.ts'
import { countInto, type TriedFile, triedTable, triedUnder } from './report.ts'

const fault = (kind: string, more: Partial<FaultEntry> = {}): FaultEntry => ({
  kind,
  target: 'x',
  fromMs: 0,
  toMs: 1,
  ...more,
})
const faults = [fault('kill'), fault('kill'), fault('flush-ledger'), fault('down', { alone: 'search' })]

test('a guarantee counts as tried under the faults of a run only when something of it was compared', () => {
  const verdict = (guarantee: 'G1' | 'G5' | 'G9' | 'G11', compared: number) => ({ guarantee, compared, violations: [] })
  const tried = triedUnder([verdict('G1', 7), verdict('G5', 0), verdict('G9', 1), verdict('G11', 1)], faults)
  expect(tried).toEqual({
    G1: { kill: 2, 'flush-ledger': 1, down: 1 },
    G9: { down: 1 },
    G11: { 'flush-ledger': 1 },
  })
})

test('runs are added up in a file, and guarantees with the same counts share a row', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-tried-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'tried.json')
  await countInto(file, { G1: { kill: 2 }, G2: { kill: 2 } })
  await countInto(file, { G1: { kill: 1, down: 1 }, G2: { kill: 1, down: 1 } })
  const tried = JSON.parse(readFileSync(file, 'utf8')) as TriedFile
  expect(tried).toEqual({ runs: 2, faults: { G1: { kill: 3, down: 1 }, G2: { kill: 3, down: 1 } } })
  expect(triedTable(tried).split('\n').slice(2)).toEqual([
    '| G1 G2 | down 1 · kill 3 |',
    '| G3 G4 G5 G6 G7 G8 G9 G10 G11 G12 | **not yet** |',
  ])
})

test('docs/guarantees.md shows the counts of docs/faults-tried.json', () => {
  const page = readFileSync(new URL('../../../docs/guarantees.md', import.meta.url), 'utf8')
  const tried = readFileSync(new URL('../../../docs/faults-tried.json', import.meta.url), 'utf8')
  const shown = page.slice(page.indexOf('<!-- tried -->'), page.indexOf('<!-- /tried -->'))
  expect(shown).toContain(triedTable(JSON.parse(tried) as TriedFile))
})
