import { expect, test } from 'vitest'
import type { Entity } from '../../../../schemas/entity.ts'
import {
  type Collected,
  collect,
  createTopics,
  entityOf,
  hasChange,
  type OwnDatabase,
  ownDatabase,
  sourceFor,
} from '../own-database.ts'

const LOOK_MS = 50
const [A, B, KEPT, LATER] = ['a', 'b', 'kept', 'later'].map((name) =>
  entityOf(name, { id: 'int64', name: 'string' }),
) as [Entity, Entity, Entity, Entity]
const TABLES = `
  CREATE TABLE a (id int PRIMARY KEY, name text); INSERT INTO a VALUES (1, 'old'), (2, 'old');
  CREATE TABLE b (id int, name text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
  CREATE TABLE b_low PARTITION OF b FOR VALUES FROM (0) TO (100); INSERT INTO b VALUES (1, 'old'), (2, 'old');
  CREATE TABLE kept (id int PRIMARY KEY, name text); INSERT INTO kept VALUES (1, 'old');
  CREATE TABLE later (id int PRIMARY KEY, name text)`
const WRITTEN = ['a', 'b'].map(
  (name) =>
    `UPDATE ${name} SET name = 'new' WHERE id = 1; DELETE FROM ${name} WHERE id = 2; INSERT INTO ${name} VALUES (3, 'new');`,
)

async function start(
  database: OwnDatabase,
  entities: readonly Entity[],
  topics = createTopics(),
): Promise<Collected & { close(): Promise<void> }> {
  const source = sourceFor(database, entities, { tableLookMs: LOOK_MS })
  await source.prepare()
  let streams = false
  const onStreaming = () => {
    streams = true
  }
  const seen = collect(source, { ...topics, context: () => ({ ...topics.context(), onStreaming }) })
  // What is to be read is stored before it streams.
  const isDone = () => entities.every(({ name }) => seen.progress(name)?.running === null)
  await seen.until('every snapshot is done', () => streams && isDone())
  const close = async () => {
    await seen.stop()
    await source.close()
  }
  return { ...seen, topics, close }
}

async function newTables(): Promise<OwnDatabase> {
  const database = await ownDatabase()
  await database.sql.unsafe(TABLES)
  return database
}

/** What a run told of an entity: `<op> <key> <name>`. */
function told(seen: Collected, entity: Entity): readonly string[] {
  return seen
    .changes()
    .filter((change) => change.entity === entity.name)
    .map((change) => `${change.op} ${change.key}${change.op === 'delete' ? '' : ` ${change.after.name}`}`)
}

/** What a run leaves of an entity in its topic: `<key> <name>`. */
function lastTold(seen: Collected, entity: Entity): readonly string[] {
  const rows = new Map<string, string>()
  for (const change of seen.changes()) {
    if (change.entity !== entity.name) continue
    if (change.op === 'delete') rows.delete(change.key)
    else rows.set(change.key, `${change.key} ${change.after.name}`)
  }
  return [...rows.values()].sort()
}

const READ_ANEW = ['snapshot 1 new', 'snapshot 3 new', 'delete 2']

test('every table that leaves the publication is read anew, and no other', async () => {
  const database = await newTables()
  const { sql } = database
  const seen = await start(database, [A, B, KEPT])
  await sql.unsafe(`ALTER PUBLICATION tributary DROP TABLE a, b`)
  await sql.unsafe(WRITTEN.join(''))
  await seen.ended
  expect(seen.failure()).toMatchObject({
    code: 'table-altered',
    message: expect.stringMatching(/public\.a was taken out .*public\.b was taken out/),
  })
  const next = await start(database, [A, B, KEPT], seen.topics)
  expect([A, B, KEPT].map((entity) => told(next, entity))).toEqual([READ_ANEW, READ_ANEW, []])
})

test('a table that leaves the publication while nobody watches is read anew; one that is added touches no other', async () => {
  const database = await newTables()
  const { sql } = database
  const seen = await start(database, [A, KEPT])
  await seen.close()
  await sql.unsafe(`ALTER PUBLICATION tributary DROP TABLE a; ${WRITTEN[0]}`)
  const next = await start(database, [A, B, KEPT, LATER], seen.topics)
  expect([A, KEPT].map((entity) => told(next, entity))).toEqual([READ_ANEW, []])
  await next.close()
  const last = await start(database, [A, B, KEPT, LATER], seen.topics)
  await sql`INSERT INTO later VALUES (9)`
  await last.until('the row', hasChange('9'))
  expect(last.changes()).toHaveLength(1)
})

const OUT_AND_BACK: readonly (readonly [string, string, string, string, Entity])[] = [
  ['its operations', `SET (publish = 'insert')`, `SET (publish = 'insert, update, delete, truncate')`, WRITTEN[0]!, A],
  ['its root', 'SET (publish_via_partition_root = false)', 'SET (publish_via_partition_root = true)', WRITTEN[1]!, B],
  ['a table', 'DROP TABLE a', 'ADD TABLE a', WRITTEN[0]!, A],
  ['a filter', 'SET TABLE a WHERE (id > 100), b, kept', 'SET TABLE a, b, kept', `INSERT INTO a VALUES (3, 'new')`, A],
]

test.each(OUT_AND_BACK)(
  '%s altered and altered back between two looks is noticed',
  async (_, out, back, written, entity) => {
    const database = await newTables()
    const { sql } = database
    const seen = await start(database, [A, B, KEPT])
    // In one transaction, so that no look sees what is in between.
    await sql.unsafe(`ALTER PUBLICATION tributary ${out}; ${written}; ALTER PUBLICATION tributary ${back}`)
    await seen.ended
    expect(seen.failure()).toMatchObject({
      code: 'table-altered',
      message: expect.stringContaining(`what the publication holds of table public.${entity.name} was altered`),
    })
    const next = await start(database, [A, B, KEPT], seen.topics)
    const rows = await sql<{ id: number; name: string }[]>`SELECT id, name FROM ${sql(entity.name)} ORDER BY id`
    // What was written may come before, from the stream: the first run may have ended before it got that far.
    const snapshots = told(next, entity).filter((one) => one.startsWith('snapshot '))
    expect(snapshots).toEqual(rows.map(({ id, name }) => `snapshot ${id} ${name}`))
    expect(lastTold(next, entity)).toEqual(rows.map(({ id, name }) => `${id} ${name}`))
  },
)

test('operations left out and set back while nobody watches: what is missing is read', async () => {
  const database = await newTables()
  const { sql } = database
  const seen = await start(database, [A, KEPT])
  await seen.close()
  await sql`ALTER PUBLICATION tributary SET (publish = 'insert')`
  await sql.unsafe(WRITTEN[0]!)
  await expect(start(database, [A, KEPT], seen.topics)).rejects.toMatchObject({ code: 'source-unsuitable' })
  await sql`ALTER PUBLICATION tributary SET (publish = 'insert, update, delete, truncate')`
  const next = await start(database, [A, KEPT], seen.topics)
  expect(told(next, A)).toEqual(['create 3 new', ...READ_ANEW])
})

test('a filter added while capture runs ends it; without it again, what is missing is read', async () => {
  const database = await newTables()
  const { sql } = database
  const seen = await start(database, [A, KEPT])
  await sql.unsafe('ALTER PUBLICATION tributary SET TABLE a WHERE (id > 100), kept')
  await sql.unsafe(`INSERT INTO a VALUES (3, 'new')`)
  await seen.ended
  expect(seen.failure()).toMatchObject({ code: 'table-altered' })
  await expect(start(database, [A, KEPT], seen.topics)).rejects.toMatchObject({ code: 'source-unsuitable' })
  await sql.unsafe('ALTER PUBLICATION tributary SET TABLE a, kept')
  const next = await start(database, [A, KEPT], seen.topics)
  expect(told(next, A)).toEqual(['snapshot 1 old', 'snapshot 2 old', 'snapshot 3 new'])
  expect(told(next, KEPT)).toEqual([])
})

test('a column that is dropped and added again with a default is noticed although no row is written', async () => {
  const database = await newTables()
  const seen = await start(database, [A, KEPT])
  await database.sql.unsafe(`ALTER TABLE a DROP name; ALTER TABLE a ADD name text DEFAULT 'new'`)
  await seen.ended
  expect(seen.failure()).toMatchObject({ code: 'table-altered', message: expect.stringContaining('public.a.name') })
  const next = await start(database, [A, KEPT], seen.topics)
  expect(told(next, A)).toEqual(['snapshot 1 new', 'snapshot 2 new'])
})
