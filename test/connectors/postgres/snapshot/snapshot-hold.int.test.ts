import { expect, test } from 'vitest'
import { ask, ITEM, items, NOTE, openTransaction, whenRangeAsked } from '../items.ts'
import { collect, createTopics, hasChange, isSnapshotDone, sourceFor, until } from '../own-database.ts'

// What other people's transactions and locks may and may not hold up. Tables are read one after another here: while the first is
// begun, something happens to the second, which is read as of the same point.

const ONE_BY_ONE = { chunkRows: 100, tables: 1 }

async function itemsAndNotes() {
  const database = await items(10)
  await database.sql`CREATE TABLE note (id int PRIMARY KEY, text text)`
  await database.sql`INSERT INTO note SELECT g, 'text ' || g FROM generate_series(1, 10) g`
  const source = sourceFor(database, [ITEM, NOTE], { snapshot: ONE_BY_ONE })
  await source.prepare()
  return { ...database, source }
}

function once(entity: string, run: () => Promise<void>): (asked: string) => Promise<void> {
  let done = false
  return async (asked) => {
    if (asked !== entity || done) return
    done = true
    await run()
  }
}

test('a table that is rewritten after the point looks empty as of it, so it is read as of the next one', async () => {
  const { sql, source } = await itemsAndNotes()
  const topics = createTopics()
  const rewrite = async () => void (await sql`ALTER TABLE note ADD extra float DEFAULT random()`)
  const seen = collect(source, whenRangeAsked(topics, once('item', rewrite)))
  await seen.until('the snapshots', isSnapshotDone)
  expect(seen.changes().filter(({ entity }) => entity === 'note').length).toBe(10)
})

test('a partition that is rewritten after the point is noticed as well', async () => {
  const database = await items(10)
  const { sql } = database
  await sql`CREATE TABLE note (id int PRIMARY KEY, text text) PARTITION BY RANGE (id)`
  await sql`CREATE TABLE note_low PARTITION OF note FOR VALUES FROM (0) TO (6)`
  await sql`CREATE TABLE note_high PARTITION OF note FOR VALUES FROM (6) TO (100)`
  await sql`INSERT INTO note SELECT g, 'text ' || g FROM generate_series(1, 10) g`
  const source = sourceFor(database, [ITEM, NOTE], { snapshot: ONE_BY_ONE })
  await source.prepare()
  const rewrite = async () => void (await sql`ALTER TABLE note ADD extra float DEFAULT random()`)
  const seen = collect(source, whenRangeAsked(createTopics(), once('item', rewrite)))
  await seen.until('the snapshots', isSnapshotDone)
  expect(seen.changes().filter(({ entity }) => entity === 'note').length).toBe(10)
})

test('a table that someone has locked waits for its turn; changes and other tables go on', async () => {
  const { source, ...database } = await itemsAndNotes()
  const { sql } = database
  let locked: Awaited<ReturnType<typeof openTransaction>> | undefined
  const lock = async () => {
    locked = await openTransaction(database, 'LOCK TABLE note IN ACCESS EXCLUSIVE MODE')
  }
  const seen = collect(source, whenRangeAsked(createTopics(), once('item', lock)))
  await until('items are read', () => seen.progress('item')?.whole != null)
  await sql`UPDATE item SET n = -1 WHERE id = 1`
  await seen.until('the update', hasChange('1', 'update'))
  expect(seen.progress('note')?.whole).toBeNull()
  await locked!.commit()
  await seen.until('the snapshots', isSnapshotDone)
  expect(seen.changes().filter(({ entity }) => entity === 'note').length).toBe(10)
})

test('an abort ends the wait for a locked table', async () => {
  const { source, ...database } = await itemsAndNotes()
  const locked = Promise.withResolvers<void>()
  const lock = async () => {
    await openTransaction(database, 'LOCK TABLE note IN ACCESS EXCLUSIVE MODE')
    locked.resolve()
  }
  const seen = collect(source, whenRangeAsked(createTopics(), once('item', lock)))
  await locked.promise
  await until('it waits', async () => {
    const waiting = await database.sql`SELECT FROM pg_locks WHERE NOT granted AND relation = 'note'::regclass`
    return waiting.length > 0
  })
  await seen.stop()
  expect(seen.failure()).toBeUndefined()
})

test("someone's long transaction does not hold up the changes of others while a snapshot waits for it", async () => {
  const { source, ...database } = await itemsAndNotes()
  const seen = collect(source)
  await seen.until('the snapshots', isSnapshotDone)
  const long = await openTransaction(database, 'UPDATE note SET text = text WHERE id = 1')
  await ask(database, 'item')
  await until('the request', () => seen.progress('item')?.running != null)
  await database.sql`UPDATE item SET n = -1 WHERE id = 1`
  await seen.until('the update', hasChange('1', 'update'))
  await long.commit()
  await seen.until('the snapshot', isSnapshotDone)
  expect(seen.changes().filter(({ op }) => op === 'snapshot').length).toBe(30)
})

test('a stream that breaks while it holds for a point is noticed at once, and so is an abort', async () => {
  const { source, ...database } = await itemsAndNotes()
  const { sql, slot } = database
  const seen = collect(source)
  await seen.until('the snapshots', isSnapshotDone)
  const long = await openTransaction(database, 'UPDATE note SET text = text WHERE id = 1')
  await ask(database, 'item')
  await until('the request', () => seen.progress('item')?.running != null)
  await database.sql`UPDATE item SET n = -1 WHERE id = 1`
  await until('a point is being taken', async () => {
    const [row] = await sql`SELECT FROM pg_replication_slots WHERE slot_name LIKE ${`${slot.slice(0, 40)}\\_snapshot%`}`
    return row !== undefined
  })
  await sql`SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = ${slot}`
  await seen.ended
  expect(seen.failure()).toMatchObject({ code: 'source-unreachable' })
  const again = collect(source, seen.topics)
  await again.until('the update', hasChange('1', 'update'))
  await again.stop()
  expect(again.failure()).toBeUndefined()
  await long.commit()
})
