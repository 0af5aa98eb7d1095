import { expect, test } from 'vitest'
import type { LocatedTable } from '../../../../connectors/postgres/captured-table.ts'
import { followStream } from '../../../../connectors/postgres/stream/stream.ts'
import type { SourceEvent } from '../../../../connectors/source.ts'
import { KEY_BYTES_MAX } from '../../../../schemas/key.ts'
import { captured, entityOf } from '../own-database.ts'
import { begin, commit, insert, keepAlive, logical, relation, remove, truncate, update, walData } from './messages.ts'

const ENTITY = entityOf('customer', { id: 'int64', name: 'string' })
const TABLE: LocatedTable = { ...captured(ENTITY), oid: 1, partitioned: false, typeNames: {}, places: {} }
const TYPES = new Map(
  [
    [20, 'int8'],
    [25, 'text'],
  ].map(([oid, name]) => [
    Number(oid),
    { oid: Number(oid), name: String(name), kind: 'b', base: 0, element: 0, delimiter: ',' },
  ]),
)
const CUSTOMER = relation(1, 'customer', [
  ['id', 20],
  ['name', 25],
])

function follow(point: bigint | undefined = 0n, table = TABLE) {
  const out: SourceEvent[] = []
  const moments: string[] = []
  const follower = followStream({
    source: 'shop',
    slot: 'shop_slot',
    epoch: 1n,
    tables: [table],
    types: TYPES,
    neededFrom: () => point,
    loadTypes: async (_, known) => known,
    onCovered: (position, transaction) =>
      moments.push(transaction === null ? `covered ${position}` : `commit ${position}`),
    onMessage: ({ prefix }) => moments.push(`message ${prefix}`),
    onInvalidRequest: (problem) => moments.push(`invalid: ${problem}`),
  })
  follower.startBatch(5n)
  return { out, moments, follower, changes: () => out.flatMap((event) => (event.kind === 'change' ? [event] : [])) }
}

test('a commit that starts exactly at the bound is held; one right below it is not', async () => {
  const batch = [
    begin(99n),
    CUSTOMER,
    insert(1, ['1', 'a']),
    commit(99n, 100n),
    begin(100n),
    insert(1, ['2', 'b']),
  ].map(walData)
  const { out, follower, moments } = follow()
  expect(await follower.consume(batch, 0, 100n, out)).toEqual({ why: 'bound', index: 4 })
  expect(out.length).toBe(1)
  expect(moments).toEqual(['commit 100'])
  // After the hold it goes on from there.
  expect(await follower.consume(batch, 4, undefined, out)).toEqual({ why: 'end', index: 6 })
  expect(out.length).toBe(2)
})

test('a keep-alive reaches the bound between transactions only', async () => {
  const inside = [
    walData(begin(50n)),
    keepAlive(200n),
    walData(commit(50n, 60n)),
    keepAlive(99n),
    keepAlive(100n),
    keepAlive(300n),
  ]
  const { out, follower } = follow()
  expect(await follower.consume(inside, 0, 100n, out)).toEqual({ why: 'bound', index: 5 })
})

test('a keep-alive past the bound covers no more than the bound: what comes there is below the keep-alive', async () => {
  const { out, follower, moments } = follow()
  expect(await follower.consume([keepAlive(99n), keepAlive(300n)], 0, 100n, out)).toEqual({ why: 'bound', index: 2 })
  expect(moments).toEqual(['covered 99', 'covered 100'])
  await follower.consume([keepAlive(300n)], 0, undefined, out)
  expect(moments.at(-1)).toBe('covered 300')
})

test('a row of one message has two ordinals, whatever else the transaction holds', async () => {
  const other = relation(2, 'other', [['id', 20]])
  const batch = [
    begin(10n),
    CUSTOMER,
    other,
    insert(2, ['9']),
    update(1, ['1', 'a'], ['2', 'a']),
    update(1, ['2', 'a'], ['2', 'a']),
    remove(1, ['2', 'a']),
  ].map(walData)
  const { out, follower, changes } = follow()
  await follower.consume(batch, 0, undefined, out)
  expect(changes().map(({ change }) => [change.op, change.key, change.version.ordinal])).toEqual([
    ['delete', '1', 2],
    ['create', '2', 3],
    ['delete', '2', 6],
  ])
})

test('a key that is too large to be in the log again is taken from the old row', async () => {
  const batch = [begin(10n), CUSTOMER, update(1, ['7', null], [undefined, 'b'], 'K')].map(walData)
  const { out, follower, changes } = follow()
  await follower.consume(batch, 0, undefined, out)
  expect(changes()).toMatchObject([{ change: { op: 'update', key: '7', after: { name: 'b' } }, missing: ['id'] }])
})

test('a table that lost a column is no harm below its snapshot, and stops capture from there on', async () => {
  const narrow = [begin(10n), relation(1, 'customer', [['id', 20]]), insert(1, ['1'])].map(walData)
  const early = follow(11n)
  await early.follower.consume(narrow, 0, undefined, early.out)
  expect(early.changes()).toMatchObject([{ change: { key: '1', after: { id: 1n } }, missing: ['name'] }])
  const late = follow(10n)
  await expect(late.follower.consume(narrow, 0, undefined, late.out)).rejects.toMatchObject({
    code: 'table-altered',
  })
})

test('a table made anew under the same name stops capture: its old rows went without deletes', async () => {
  const batch = [
    begin(10n),
    relation(99, 'customer', [
      ['id', 20],
      ['name', 25],
    ]),
    insert(99, ['1', 'a']),
  ].map(walData)
  const { out, follower } = follow()
  await expect(follower.consume(batch, 0, undefined, out)).rejects.toMatchObject({
    code: 'table-altered',
    message: expect.stringContaining('made anew'),
  })
})

test('a delete whose log record lacks the key stops capture rather than being passed over', async () => {
  const batch = [begin(10n), CUSTOMER, remove(1, [null, 'a'], 'K')].map(walData)
  const { out, follower } = follow()
  await expect(follower.consume(batch, 0, undefined, out)).rejects.toMatchObject({ code: 'table-altered' })
})

test('of a key of several parts one that is large and did not change is taken from the old row, the others from the new', async () => {
  const table = { ...TABLE, entity: { ...ENTITY, key: ['id', 'name'] } }
  for (const oldKind of ['O', 'K'] as const) {
    const batch = [begin(10n), CUSTOMER, update(1, ['1', 'large'], ['2', undefined], oldKind)].map(walData)
    const { out, follower, changes } = follow(0n, table)
    await follower.consume(batch, 0, undefined, out)
    expect(changes().map(({ change }) => [change.op, change.key])).toEqual([
      ['delete', '["1","large"]'],
      ['create', '["2","large"]'],
    ])
  }
})

test('TRUNCATE of a table that has taken the name of another stops, rather than deleting what the captured one has', async () => {
  const renamed = relation(1, 'customer_old', [
    ['id', 20],
    ['name', 25],
  ])
  const batch = [begin(10n), renamed, truncate(1)].map(walData)
  const late = follow(10n)
  await expect(late.follower.consume(batch, 0, undefined, late.out)).rejects.toMatchObject({ code: 'table-altered' })
})

test('TRUNCATE of a table that is not captured is no matter', async () => {
  const batch = [begin(10n), relation(2, 'other', [['id', 20]]), truncate(2), commit(10n, 11n)].map(walData)
  const { out, follower } = follow()
  expect((await follower.consume(batch, 0, undefined, out)).index).toBe(4)
})

test('a row before its table was described, or of another width, is refused', async () => {
  for (const batch of [
    [begin(1n), insert(1, ['1', 'a'])],
    [begin(1n), CUSTOMER, insert(1, ['1'])],
  ]) {
    const { out, follower } = follow()
    await expect(follower.consume(batch.map(walData), 0, undefined, out)).rejects.toMatchObject({
      code: 'invariant-broken',
    })
  }
})

test('a request for an entity that is not declared is told when it is meant for this slot, and passed over', async () => {
  const asked = (slot?: string) =>
    logical('tributary', JSON.stringify({ kind: 'snapshot', id: 'a', entity: 'order', where: [], slot }))
  const batch = [begin(10n), asked(), asked('other_slot'), asked('shop_slot'), commit(10n, 11n)].map(walData)
  const { out, follower, moments } = follow()
  expect(await follower.consume(batch, 0, undefined, out)).toEqual({ why: 'end', index: 5 })
  expect(moments).toEqual([expect.stringMatching(/^invalid: .* entity that the running/), 'commit 11'])
})

test('a replay passes over keys that no record can have', async () => {
  const keys = ['1', 'k'.repeat(KEY_BYTES_MAX + 1), '2']
  const batch = [begin(10n), logical('tributary', JSON.stringify({ kind: 'replay', entity: 'customer', keys }))]
  const { out, follower, changes, moments } = follow()
  await follower.consume(batch.map(walData), 0, undefined, out)
  expect(changes().map(({ change }) => change.key)).toEqual(['1', '2'])
  expect(moments).toEqual([expect.stringMatching(/^invalid: .* longer than a key may be/)])
})
