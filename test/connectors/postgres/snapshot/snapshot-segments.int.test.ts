import { expect, test } from 'vitest'
import type { SnapshotProgress, SourceEvent } from '../../../../connectors/source.ts'
import { expectVersionsToRise, ITEM, items, NOTE, startWriters, tableOf, topicOf, whenRangeAsked } from '../items.ts'
import {
  collect,
  createTopics,
  entityOf,
  hasChange,
  isSnapshotDone,
  ownDatabase,
  sourceFor,
  until,
} from '../own-database.ts'

// A limit of rows a second makes short segments: each reads what a second may, and the stream goes on between them.

const OLD = { epoch: 1n, position: 1n, ordinal: 0 }

const rowsByPoint = (events: readonly SourceEvent[]) => {
  const rows = new Map<bigint, number>()
  for (const event of events)
    if (event.kind === 'change' && event.change.op === 'snapshot')
      rows.set(event.change.version.position, (rows.get(event.change.version.position) ?? 0) + 1)
  return rows
}

test('many segments and a sweep beside random writers add up to exactly the table', async () => {
  const seed = Number(process.env.SEED ?? Date.now() % 1_000_000)
  console.info(`SEED=${seed}`)
  const database = await items(500)
  const topics = createTopics()
  // Keys of before: some of them the writers make again.
  topics.records.set(
    'item',
    Array.from({ length: 600 }, (_, id) => ({ key: String(id), version: OLD, deleted: false })),
  )
  const writers = startWriters(database, 4, seed)
  const source = sourceFor(database, [ITEM], { snapshot: { chunkRows: 7, tables: 1, rowsPerSecond: 60 } })
  await source.prepare()
  const seen = collect(source, topics)
  await seen.until('the snapshot', isSnapshotDone)
  await writers.stop()
  await database.sql`INSERT INTO item VALUES (100000, 1, 'last')`
  await seen.until('the last row', hasChange('100000'))
  // The writers leave fewer rows than there were.
  expect(rowsByPoint(seen.events).size).toBeGreaterThan(1)
  expectVersionsToRise(seen.events)
  expect(topicOf(seen.events)).toEqual(await tableOf(database))
  const last = new Map(topics.records.get('item')!.map((record) => [record.key, record]))
  const alive = [...last.values()].filter(({ deleted }) => !deleted).map(({ key }) => key)
  expect(alive.sort()).toEqual([...(await tableOf(database)).keys()].sort())
})

test('rows that a key change moves across the border between two segments are neither lost nor doubled', async () => {
  const database = await items(120)
  const source = sourceFor(database, [ITEM], { snapshot: { chunkRows: 10, tables: 1, rowsPerSecond: 50 } })
  await source.prepare()
  const seen = collect(source)
  await until('a part is read', () => (seen.progress('item')?.running?.rowsDone ?? 0) >= 50)
  expect(seen.progress('item')!.running!.after).toEqual(['50'])
  await database.sql`UPDATE item SET id = 1001 WHERE id = 1`
  await database.sql`UPDATE item SET id = -1 WHERE id = 119`
  await database.sql`UPDATE item SET id = 119 WHERE id = 2`
  await seen.until('the snapshot', isSnapshotDone)
  expectVersionsToRise(seen.events)
  expect(topicOf(seen.events)).toEqual(await tableOf(database))
})

test('no more rows are read in a second than declared, over all tables, and changes arrive between', async () => {
  const database = await items(100)
  await database.sql`CREATE TABLE note (id int PRIMARY KEY, text text)`
  await database.sql`INSERT INTO note SELECT g, 'text' FROM generate_series(1, 100) g`
  const source = sourceFor(database, [ITEM, NOTE], { snapshot: { chunkRows: 25, tables: 2, rowsPerSecond: 50 } })
  await source.prepare()
  const begunMs = performance.now()
  const seen = collect(source)
  await until('a part is read', () => (seen.progress('item')?.running?.rowsDone ?? 0) > 0)
  await database.sql`UPDATE item SET n = -1 WHERE id = 1`
  await seen.until('the update', hasChange('1', 'update'))
  expect(isSnapshotDone(seen.events)).toBe(false)
  await seen.until('the snapshots', isSnapshotDone)
  const rows = rowsByPoint(seen.events)
  for (const count of rows.values()) expect(count).toBeLessThanOrEqual(75)
  // Not faster than allowed; the last segment's rows are not waited for.
  expect((performance.now() - begunMs) / 1_000).toBeGreaterThan((200 - [...rows.values()].at(-1)!) / 50)
})

test.each([
  [1, false],
  [4, true],
])('of several tables, %i are read side by side', async (tables, isSideBySide) => {
  const database = await ownDatabase()
  const names = ['a', 'b', 'c', 'd']
  for (const name of names) {
    await database.sql.unsafe(`CREATE TABLE ${name} (id int PRIMARY KEY, pad text)`)
    await database.sql.unsafe(`INSERT INTO ${name} SELECT g, repeat('x', 200) FROM generate_series(1, 20000) g`)
  }
  const told: SnapshotProgress[] = []
  const source = sourceFor(
    database,
    names.map((name) => entityOf(name, { id: 'int32', pad: 'string' })),
    { snapshot: { chunkRows: 500, tables }, onSnapshotProgress: (progress) => told.push(progress) },
  )
  await source.prepare()
  const seen = collect(source)
  await seen.until('the snapshots', isSnapshotDone)
  const firstDone = told.findIndex(({ done }) => done)
  const begun = new Set(told.slice(0, firstDone).map(({ entity, rowsDone }) => (rowsDone > 0 ? entity : 'none')))
  begun.delete('none')
  // How many of the others have begun by then is the machine's choice; that one has, is ours.
  expect(begun.size > 1).toBe(isSideBySide)
})

test('a key that the sweep looks for is told apart whether it was made again before the point or after', async () => {
  const database = await items(10)
  const topics = createTopics()
  topics.records.set(
    'item',
    ['201', '202', '203'].map((key) => ({ key, version: OLD, deleted: false })),
  )
  await database.sql`INSERT INTO item VALUES (201, 0, 'before')`
  const source = sourceFor(database, [ITEM])
  await source.prepare()
  const seen = collect(
    source,
    whenRangeAsked(topics, async () => void (await database.sql`INSERT INTO item VALUES (202, 0, 'after')`)),
  )
  await seen.until('the snapshot', isSnapshotDone)
  await seen.until('the row made again', hasChange('202', 'create'))
  const of = (wanted: string) => seen.changes().flatMap(({ key, op }) => (key === wanted ? [op] : []))
  expect([of('201'), of('202'), of('203')]).toEqual([['snapshot'], ['delete', 'create'], ['delete']])
  expectVersionsToRise(seen.events)
})

test('killed during the sweep, it goes on where it was', async () => {
  const database = await items(10)
  const topics = createTopics()
  topics.records.set(
    'item',
    Array.from({ length: 400 }, (_, id) => ({ key: `${1_000 + id}`, version: OLD, deleted: false })),
  )
  const source = sourceFor(database, [ITEM])
  await source.prepare()
  const abort = new AbortController()
  const events: SourceEvent[] = []
  const deletes = () => events.filter((event) => event.kind === 'change' && event.change.op === 'delete').length
  for await (const batch of source.events(topics.context(), abort.signal)) {
    events.push(...batch)
    for (const event of batch) topics.take(event)
    if (deletes() >= 100) abort.abort()
  }
  const first = deletes()
  expect(first).toBeLessThan(300)
  const again = collect(source, topics)
  await again.until('the sweep', isSnapshotDone)
  expect(again.changes().every(({ op }) => op === 'delete')).toBe(true)
  expect(again.changes().length).toBe(400 - first)
})

test('an entity that is taken out of the declaration and comes back is read again, and what vanished meanwhile is deleted', async () => {
  const database = await items(20)
  await database.sql`CREATE TABLE note (id int PRIMARY KEY, text text)`
  const run = async (entities: readonly (typeof ITEM)[], topics = createTopics()) => {
    const source = sourceFor(database, entities)
    await source.prepare()
    const seen = collect(source, topics)
    await seen.until(
      'the snapshots',
      (events) => events.length > 0 && entities.every(({ name }) => seen.progress(name)?.running === null),
    )
    return { seen, end: () => seen.stop().then(() => source.close()) }
  }
  const both = await run([ITEM, NOTE])
  await both.end()
  const { topics } = both.seen
  const one = await run([NOTE], topics)
  await database.sql`DELETE FROM item WHERE id = 1`
  await database.sql`UPDATE item SET n = -2 WHERE id = 2`
  await database.sql`INSERT INTO note VALUES (1, 'x')`
  await one.seen.until('the note', (events) => topicOf(events, 'note').size === 1)
  expect(topics.values.has('snapshot/item')).toBe(false)
  await one.end()
  const back = await run([ITEM, NOTE], topics)
  expect(back.seen.changes().map(({ op }) => op)).toEqual([...Array(19).fill('snapshot'), 'delete'])
  const all = [...both.seen.events, ...back.seen.events]
  expect(topicOf(all)).toEqual(await tableOf(database))
  await back.end()
})

test('a session that is cut in mid-chunk, and a stream that is cut while rows are read, are noticed at once and made good', async () => {
  const database = await ownDatabase()
  const { sql, slot } = database
  await sql`CREATE TABLE item (id int PRIMARY KEY, n bigint NOT NULL, note text)`
  await sql`INSERT INTO item SELECT g, g, repeat('x', 500) FROM generate_series(1, 20000) g`
  const source = sourceFor(database, [ITEM], { snapshot: { chunkRows: 5_000, tables: 1 } })
  await source.prepare()
  const topics = createTopics()
  const all: SourceEvent[] = []
  /** Cuts connections once rows have come, and says how many rows came in all. */
  const readAndCut = async (cut: () => PromiseLike<readonly unknown[]>) => {
    let rows = 0
    let isCut = false
    for await (const batch of source.events(topics.context(), new AbortController().signal)) {
      for (const event of batch) topics.take(event)
      all.push(...batch)
      rows += batch.filter((event) => event.kind === 'change').length
      if (rows === 0 || isCut) continue
      isCut = true
      expect((await cut()).length).toBe(1)
    }
    return rows
  }
  const cutSession = () =>
    sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY (%' AND pid <> pg_backend_pid()`
  await expect(readAndCut(cutSession)).rejects.toMatchObject({ code: 'source-unreachable', fate: 'retry' })
  const cutStream = async () => {
    const cut =
      await sql`SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE slot_name = ${slot}`
    return cut
  }
  await expect(readAndCut(cutStream)).rejects.toMatchObject({ message: expect.stringContaining('57P01') })
  expect(all.filter((event) => event.kind === 'change').length).toBeLessThan(20_000)
  const seen = collect(source, topics)
  await seen.until('the snapshot', isSnapshotDone)
  all.push(...seen.events)
  expectVersionsToRise(seen.events)
  expect(topicOf(all).size).toBe(20_000)
  expect(all.filter((event) => event.kind === 'change').length).toBeLessThanOrEqual(20_000 + 2 * 5_000)
})
