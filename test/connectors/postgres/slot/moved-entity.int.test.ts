import { expect, test } from 'vitest'
import type { PublishedRecord } from '../../../../connectors/source.ts'
import { ITEM, NOTE } from '../items.ts'
import {
  collect,
  createTopics,
  hasChange,
  isSnapshotDone,
  ownDatabase,
  sourceFor,
  type Topics,
} from '../own-database.ts'

async function tables() {
  const database = await ownDatabase()
  await database.sql.unsafe(`
    CREATE TABLE item (id int PRIMARY KEY, n bigint, note text);
    CREATE TABLE note (id int PRIMARY KEY, text text);
    INSERT INTO item VALUES (1, 1, 'a');
    INSERT INTO note VALUES (1, 'a')`)
  return database
}

/** What another source published: the key that is in the table, and one that is not. */
function published(topics: Topics, entity: string, epoch: bigint, position: bigint): void {
  const records: PublishedRecord[] = ['1', '2'].map((key) => ({
    key,
    version: { epoch, position, ordinal: 0 },
    deleted: false,
  }))
  topics.records.set(entity, records)
}

const FAR = 2n ** 60n
const epochOf = (topics: Topics) => (topics.values.get('history') as { epoch: number }).epoch

test('a source that begins on topics with records of others begins above them all, and deletes what it has not', async () => {
  const database = await tables()
  const topics = createTopics()
  published(topics, 'item', 3n, FAR)
  published(topics, 'note', 5n, FAR)
  const notices: string[] = []
  const source = sourceFor(database, [ITEM, NOTE], { onNotice: ({ code }) => notices.push(code) })
  await source.prepare()
  const seen = collect(source, topics)
  await seen.until('the snapshot', isSnapshotDone)
  expect(epochOf(topics)).toBe(6)
  const changes = seen.changes().map(({ entity, key, op, version }) => `${entity} ${key} ${op} ${version.epoch}`)
  expect(changes.sort()).toEqual(['item 1 snapshot 6', 'item 2 delete 6', 'note 1 snapshot 6', 'note 2 delete 6'])
  expect(notices).toContain('epoch-begins')
})

test.each([
  ['an older epoch', 1n, 0n, 1],
  ['a later place of the same epoch', 1n, FAR, 2],
  ['a later epoch', 4n, 0n, 5],
])(
  'an entity added whose topic holds records of %s is newer than they are',
  async (_what, epoch, position, expected) => {
    const database = await tables()
    const topics = createTopics()
    const first = sourceFor(database, [ITEM])
    await first.prepare()
    const before = collect(first, topics)
    await before.until('the snapshot', isSnapshotDone)
    await before.stop()
    await first.close()
    expect(epochOf(topics)).toBe(1)
    published(topics, 'note', epoch, position)
    const notices: string[] = []
    const source = sourceFor(database, [ITEM, NOTE], { onNotice: ({ code }) => notices.push(code) })
    await source.prepare()
    const seen = collect(source, topics)
    await seen.until('the snapshot', isSnapshotDone)
    await database.sql`INSERT INTO note VALUES (3, 'c')`
    await seen.until('a change', hasChange('3'))
    expect(epochOf(topics)).toBe(expected)
    expect(notices.includes('epoch-begins')).toBe(expected > 1)
    const ofNotes = seen.changes().filter(({ entity }) => entity === 'note')
    expect(ofNotes.map(({ key, op }) => `${key} ${op}`)).toEqual(['1 snapshot', '2 delete', '3 create'])
    expect(new Set(ofNotes.map(({ version }) => version.epoch))).toEqual(new Set([BigInt(expected)]))
  },
)

test('an entity that was left out for a while and is captured again goes on in its epoch', async () => {
  const database = await tables()
  const topics = createTopics()
  for (const entities of [[ITEM, NOTE], [ITEM], [ITEM, NOTE]]) {
    const source = sourceFor(database, entities, { heartbeatMs: 50 })
    await source.prepare()
    const seen = collect(source, topics)
    await database.sql`INSERT INTO item SELECT max(id) + 1, 0 FROM item`
    const [last] = await database.sql<{ key: string }[]>`SELECT max(id)::text AS key FROM item`
    await seen.until('the row', hasChange(last!.key))
    await seen.until('its place', (events) => events.at(-1)?.kind === 'progress')
    await seen.stop()
    await source.close()
    expect(epochOf(topics)).toBe(1)
  }
})
