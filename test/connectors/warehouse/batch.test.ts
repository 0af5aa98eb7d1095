import { expect, it } from 'vitest'
import { batchOutcomes, planBatch, planLookUp } from '../../../connectors/warehouse/batch.ts'
import { COLUMN_SETS_MAX, StatementTexts } from '../../../connectors/warehouse/statement-texts.ts'
import { resolveTables } from '../../../connectors/warehouse/tables.ts'
import { fullPatch, partialPatch, removal } from '../../contract/destination-contract.ts'
import { mappingOf } from './mappings.ts'

const COLUMNS = Array.from({ length: 12 }, (_, at) => `c${at}`)
const MAPPING = mappingOf('wide', Object.fromEntries(COLUMNS.map((name) => [name, 'string'])))

function table(policy: 'hard' | 'soft' | 'ignore' = 'hard') {
  const mapping = { ...MAPPING, onDelete: policy }
  const resolved = resolveTables('s', [mapping]).get('wide')!
  return { resolved, texts: new StatementTexts(resolved) }
}

/** A partial patch of the columns that the bits of `set` name. */
function patchOfSet(key: string, set: number) {
  const names = COLUMNS.filter((_, at) => (set >> at) & 1)
  return partialPatch(key, 1, Object.fromEntries(names.map((name) => [name, 'x'])))
}

it('patches with the same columns share a statement', () => {
  const { resolved, texts } = table()
  const patches = Array.from({ length: 100 }, (_, at) => patchOfSet(`k${at}`, at % 2 === 0 ? 1 : 2))
  expect(planBatch(resolved, texts, patches).statements).toHaveLength(2)
})

it('however many sets of columns a batch has, the statements are bounded', () => {
  const { resolved, texts } = table()
  const patches = Array.from({ length: 1000 }, (_, at) => patchOfSet(`k${at}`, 1 + (at % 100)))
  const { statements } = planBatch(resolved, texts, patches)
  expect(statements).toHaveLength(17)
  expect(statements.filter(({ text }) => text.includes('CASE'))).toHaveLength(1)
})

it('however many sets of columns there ever were, the prepared texts are bounded', () => {
  const { resolved, texts } = table()
  const prepared = new Set<string>()
  for (let set = 1; set < 1000; set++) {
    const fields = patchOfSet('k', set).fields
    for (const statement of planBatch(resolved, texts, [fullPatch('k', 1, fields)]).statements)
      if (statement.prepared) prepared.add(statement.text)
    const group = Array.from({ length: 8 }, (_, at) => patchOfSet(`k${at}`, set))
    for (const statement of planBatch(resolved, texts, group).statements)
      if (statement.prepared) prepared.add(statement.text)
  }
  // The sets, the masked update and the lock.
  expect(prepared.size).toBe(COLUMN_SETS_MAX + 2)
})

it('where deletes remove rows, the lock comes first: shared for making rows, exclusive for deletes, none for updates', () => {
  const { resolved, texts } = table('hard')
  const first = (...patches: Parameters<typeof planBatch>[2]) => planBatch(resolved, texts, patches).statements[0]!.text
  expect(first(partialPatch('a', 1, {}), fullPatch('b', 1, {}))).toContain('pg_advisory_xact_lock_shared(')
  expect(first(fullPatch('b', 1, {}), removal('c', 1))).toContain('pg_advisory_xact_lock(')
  expect(first(partialPatch('a', 1, { c0: 'x' }))).toContain('UPDATE')
  const soft = table('soft')
  for (const { text } of planBatch(soft.resolved, soft.texts, [fullPatch('b', 1, {}), removal('c', 1)]).statements)
    expect(text).not.toContain('pg_advisory')
})

it('a record that can never be stored is rejected alone, and the others are sent', () => {
  const { resolved, texts } = table()
  const patches = [
    fullPatch('a', 1, { c0: 'x\0' }),
    fullPatch('b', 1, { c0: 'x' }),
    fullPatch('c\0', 1, {}),
    fullPatch('d', 1, { unheard: 'x' }),
  ]
  const plan = planBatch(resolved, texts, patches)
  expect(batchOutcomes(resolved, patches, plan, new Set(['b']), new Map())).toMatchObject([
    { kind: 'rejected', code: 'text-nul' },
    { kind: 'applied' },
    { kind: 'rejected', code: 'text-nul' },
    { kind: 'rejected', code: 'field-unmapped' },
  ])
})

it('only patches whose kind does not tell are looked up', () => {
  const { resolved, texts } = table()
  const patches = [fullPatch('a', 1, {}), removal('b', 1), partialPatch('c', 1, {}), partialPatch('d', 1, {})]
  const plan = planBatch(resolved, texts, patches)
  expect(planLookUp(resolved, patches, plan, new Set(['d']))?.parameters).toEqual(['{"c"}'])
  expect(planLookUp(resolved, patches, plan, new Set(['c', 'd']))).toBeUndefined()
})

const OLDER = '00'.repeat(20)
const NEWER = 'ff'.repeat(20)
it.each([
  ['a partial patch', { version: null, markedDeleted: false, guardVersion: null }, 'absent'],
  ['a partial patch', { version: null, markedDeleted: false, guardVersion: OLDER }, 'absent'],
  ['a partial patch', { version: null, markedDeleted: false, guardVersion: NEWER }, 'newer'],
  ['a partial patch', { version: NEWER, markedDeleted: false, guardVersion: null }, 'newer'],
  ['a partial patch', { version: NEWER, markedDeleted: true, guardVersion: null }, 'newer'],
  ['a partial patch', { version: OLDER, markedDeleted: true, guardVersion: null }, 'absent'],
  ['a partial patch', { version: OLDER, markedDeleted: false, guardVersion: null }, 'conflict'],
  ['an ignored delete', { version: null, markedDeleted: false, guardVersion: null }, 'applied'],
  ['an ignored delete', { version: NEWER, markedDeleted: false, guardVersion: null }, 'newer'],
  ['an ignored delete', { version: OLDER, markedDeleted: false, guardVersion: null }, 'conflict'],
] as const)('%s without effect that finds %j answers %s', (what, present, kind) => {
  const { resolved, texts } = table(what === 'an ignored delete' ? 'ignore' : 'hard')
  const patches = [what === 'an ignored delete' ? removal('a', 1) : partialPatch('a', 1, {})]
  const plan = planBatch(resolved, texts, patches)
  expect(batchOutcomes(resolved, patches, plan, new Set(), new Map([['a', present]]))).toEqual([{ kind }])
})
