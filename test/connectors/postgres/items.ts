import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { expect, onTestFinished } from 'vitest'
import { request } from '../../../connectors/postgres/request.ts'
import type { SnapshotAsked } from '../../../connectors/postgres/stream/stream.ts'
import type { SourceEvent } from '../../../connectors/source.ts'
import type { Value } from '../../../schemas/field-type.ts'
import { compareVersions, type Version } from '../../../schemas/version.ts'
import { entityOf, type OwnDatabase, ownDatabase, type Topics } from './own-database.ts'

export const ITEM = entityOf('item', { id: 'int32', n: 'int64', note: 'string' })
export const NOTE = entityOf('note', { id: 'int32', text: 'string' })

/** What a topic would hold: the newest version of each key wins, and its last record must be that. */
export function topicOf(events: readonly SourceEvent[], entity = 'item'): Map<string, Readonly<Record<string, Value>>> {
  const last = new Map<string, { version: Version; after: Readonly<Record<string, Value>> | null }>()
  for (const event of events) {
    if (event.kind !== 'change' || event.change.entity !== entity) continue
    const { change } = event
    last.set(change.key, { version: change.version, after: change.op === 'delete' ? null : change.after })
  }
  return new Map([...last].flatMap(([key, { after }]) => (after === null ? [] : [[key, after] as const])))
}

export async function tableOf(database: OwnDatabase): Promise<Map<string, Readonly<Record<string, Value>>>> {
  const rows = await database.sql<
    { id: number; n: string; note: string | null }[]
  >`SELECT id, n::text AS n, note FROM item`
  return new Map(rows.map((row) => [String(row.id), { id: BigInt(row.id), n: BigInt(row.n), note: row.note }]))
}

export function expectVersionsToRise(events: readonly SourceEvent[]): void {
  const newest = new Map<string, Version>()
  for (const event of events) {
    if (event.kind !== 'change') continue
    const { entity, key, version } = event.change
    const before = newest.get(`${entity}/${key}`)
    if (before !== undefined) expect(compareVersions(before, version), `${entity}/${key}`).toBeLessThan(0)
    newest.set(`${entity}/${key}`, version)
  }
}

/** Random writers that insert, update, move and delete rows until `stop` is called. */
export function startWriters(database: OwnDatabase, count: number, seed: number) {
  let running = true
  let transactions = 0
  const random = fc.sample(fc.infiniteStream(fc.nat(1_000_000)), { numRuns: count, seed })
  const writers = random.map(async (numbers) => {
    const next = (below: number) => (numbers.next().value as number) % below
    while (running) {
      await database.sql
        .begin(async (tx) => {
          for (let statement = next(4); statement >= 0; statement--) {
            const id = next(500)
            const kind = next(5)
            if (kind === 0) await tx`DELETE FROM item WHERE id = ${id}`
            else if (kind === 1) await tx`UPDATE item SET id = ${next(500)} WHERE id = ${id}`
            else if (kind === 2)
              await tx`INSERT INTO item (id, n) VALUES (${id}, 0) ON CONFLICT (id) DO UPDATE SET n = item.n + 1000`
            else await tx`UPDATE item SET n = n + 1 WHERE id = ${id}`
          }
        })
        // A key taken meanwhile or a deadlock rolls the transaction back, as in life.
        .catch(() => {})
      transactions++
    }
  })
  return {
    transactions: () => transactions,
    async stop() {
      running = false
      await Promise.all(writers)
    },
  }
}

export function withoutSnapshots(topics: Topics): Topics {
  for (const name of topics.values.keys()) if (name.startsWith('snapshot/')) topics.values.delete(name)
  return topics
}

export async function items(rows: number, identity = 'FULL'): Promise<OwnDatabase> {
  const database = await ownDatabase()
  await database.sql`CREATE TABLE item (id int PRIMARY KEY, n bigint NOT NULL, note text)`
  await database.sql.unsafe(`ALTER TABLE item REPLICA IDENTITY ${identity}`)
  await database.sql`INSERT INTO item SELECT g, g, 'note ' || g FROM generate_series(1, ${rows}::int) g`
  return database
}

/** Asks the running capture for a snapshot, as `tributary snapshot` does. */
export async function ask(
  database: OwnDatabase,
  entity: string,
  where: SnapshotAsked['where'] = [],
  id = randomUUID(),
) {
  await request(database.url, 'shop', [{ kind: 'snapshot', slot: database.slot, id, entity, where }])
  return id
}

/** The same topics; `before` is run before they are asked where an entity's records end, which a whole snapshot does at its beginning. */
export function whenRangeAsked(topics: Topics, before: (entity: string) => Promise<void>): Topics {
  return {
    ...topics,
    context() {
      const context = topics.context()
      return {
        ...context,
        async publishedRange(entity) {
          // A first start asks before that, to find the newest epoch.
          if (topics.values.has('history')) await before(entity)
          return context.publishedRange(entity)
        },
      }
    },
  }
}

/** A transaction that stays open until it is told to commit. */
export async function openTransaction(database: OwnDatabase, statement: string): Promise<{ commit(): Promise<void> }> {
  const started = Promise.withResolvers<void>()
  const told = Promise.withResolvers<void>()
  const over = database.sql.begin(async (tx) => {
    await tx.unsafe(statement)
    started.resolve()
    await told.promise
  })
  onTestFinished(() => told.resolve())
  await Promise.race([started.promise, over])
  return {
    async commit() {
      told.resolve()
      await over
    },
  }
}
