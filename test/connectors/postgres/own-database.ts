import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { onTestFinished } from 'vitest'
import { type EntityProgress, parseProgress } from '../../../connectors/postgres/snapshot/progress.ts'
import { createPostgresSource, type PostgresSourceOptions } from '../../../connectors/postgres/source.ts'
import type { CaptureContext, PublishedRecord, Source, SourceEvent } from '../../../connectors/source.ts'
import type { Change } from '../../../schemas/delta.ts'
import type { Entity } from '../../../schemas/entity.ts'
import { type FieldType, parseFieldType } from '../../../schemas/field-type.ts'

export interface OwnDatabase {
  readonly url: string
  readonly sql: postgres.Sql
  readonly slot: string
}

/** A database of a test's own, on the local server unless told otherwise, dropped with its slots when the test ends. */
export async function ownDatabase(serverUrl = process.env.TRIBUTARY_POSTGRES_URL): Promise<OwnDatabase> {
  if (!serverUrl) throw new Error('TRIBUTARY_POSTGRES_URL is not set')
  const name = `tributary_test_${randomBytes(6).toString('hex')}`
  const admin = postgres(serverUrl, { max: 1, onnotice: () => {} })
  await admin.unsafe(`CREATE DATABASE ${name}`)
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  const sql = postgres(url.href, { max: 8, onnotice: () => {}, prepare: false })
  onTestFinished(async () => {
    await sql.end({ timeout: 2 })
    await until('the slots of the test are free', async () => {
      await admin`SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = ${name} AND active`
      const left = await admin`SELECT active FROM pg_replication_slots WHERE database = ${name} AND active`
      return left.length === 0
    })
    await admin`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = ${name}`
    await admin.unsafe(`DROP DATABASE ${name} WITH (FORCE)`)
    await admin.end({ timeout: 2 })
  })
  return { url: url.href, sql, slot: `${name}_slot` }
}

/** Waits for a condition; fails after 50 s. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 50_000
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within 50 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** An entity whose fields are columns of the same name: `{ id: 'int64', name: 'string' }`, the first being the key. */
export function entityOf(name: string, fields: Readonly<Record<string, string>>, key?: readonly string[]): Entity {
  const list = Object.entries(fields).map(([field, type]) => ({
    name: field,
    type: parseFieldType(type) as FieldType,
    personal: false,
  }))
  return {
    name,
    key: key ?? [list[0]!.name],
    fields: list,
    class: 'standard',
    owner: 'tests',
    freshnessSeconds: 60,
  }
}

/** A captured table `public.<entity>`. */
export function captured(entity: Entity): PostgresSourceOptions['entities'][number] {
  return {
    entity,
    table: { schema: 'public', name: entity.name },
    columns: Object.fromEntries(entity.fields.map((field) => [field.name, field.name])),
  }
}

export function sourceFor(
  database: OwnDatabase,
  entities: readonly Entity[],
  more: Partial<PostgresSourceOptions> = {},
): Source {
  const source = createPostgresSource({
    name: 'shop',
    url: database.url,
    slot: database.slot,
    publication: 'tributary',
    entities: entities.map(captured),
    onLostHistory: 'resnapshot',
    snapshot: { chunkRows: 100, tables: 2 },
    heartbeatMs: 0,
    walWarningBytes: 1_073_741_824,
    ...more,
  })
  onTestFinished(() => source.close())
  return source
}

/** Stands in for the topics: what a source stored, and what was published of each entity. Lives longer than a source. */
export interface Topics {
  readonly values: Map<string, unknown>
  position: { position: bigint; mark: string | null } | null
  /** Every record, in order. */
  readonly records: Map<string, PublishedRecord[]>
  /** Takes an event in as the pipeline would, once it is durable. */
  take(event: SourceEvent): void
  context(): CaptureContext
}

/** How many records of a topic come at a time. */
const PUBLISHED_BATCH = 50

export function createTopics(): Topics {
  const topics: Topics = {
    values: new Map(),
    position: null,
    records: new Map(),
    take(event) {
      // As JSON, so that what cannot be stored is noticed.
      if (event.kind === 'state' && event.value === null) topics.values.delete(event.name)
      else if (event.kind === 'state') topics.values.set(event.name, JSON.parse(JSON.stringify(event.value)))
      else if (event.kind === 'progress') topics.position = { position: event.position, mark: event.mark ?? null }
      else if (event.kind === 'change') {
        const { entity, key, version, op } = event.change
        const records = topics.records.get(entity) ?? []
        topics.records.set(entity, records)
        records.push({ key, version, deleted: op === 'delete' })
      }
    },
    context: () => ({
      loadState: async () => ({ values: new Map(topics.values), position: topics.position }),
      takeOver: async () => ({ values: new Map(topics.values), position: topics.position }),
      onStreaming: () => {},
      publishedRange: async (entity) => ({ 0: { next: '0', end: String(topics.records.get(entity)?.length ?? 0) } }),
      async *published(entity, range) {
        const { next, end } = range[0]!
        for (let at = Number(next); at < Number(end); at += PUBLISHED_BATCH) {
          const to = Math.min(at + PUBLISHED_BATCH, Number(end))
          yield { records: topics.records.get(entity)!.slice(at, to), rest: { 0: { next: String(to), end } } }
        }
      },
    }),
  }
  return topics
}

export interface Collected {
  readonly events: SourceEvent[]
  readonly topics: Topics
  readonly changes: () => readonly Change[]
  /** How far the snapshots of an entity got, as stored. */
  progress(entity: string): EntityProgress | undefined
  /** The error that ended the stream, if one did. */
  readonly failure: () => unknown
  /** Waits until the events satisfy `holds`. */
  until(what: string, holds: (events: readonly SourceEvent[]) => boolean): Promise<void>
  stop(): Promise<void>
  readonly ended: Promise<void>
}

/** Reads a source in the background. `settle` says whether progress is stored and acknowledged at once. */
export function collect(source: Source, topics: Topics = createTopics(), settle = true): Collected {
  const events: SourceEvent[] = []
  const abort = new AbortController()
  let failure: unknown
  const ended = (async () => {
    try {
      for await (const batch of source.events(topics.context(), abort.signal)) {
        for (const event of batch) {
          events.push(event)
          if (event.kind !== 'progress' || settle) topics.take(event)
          if (event.kind === 'progress' && settle) source.acknowledge(event.position)
        }
      }
    } catch (error) {
      failure = error
    }
  })()
  onTestFinished(async () => {
    abort.abort()
    await ended
  })
  return {
    events,
    topics,
    changes: () => events.flatMap((event) => (event.kind === 'change' ? [event.change] : [])),
    progress: (entity) => parseProgress(topics.values.get(`snapshot/${entity}`)),
    failure: () => failure,
    async until(what, holds) {
      await until(what, () => {
        if (failure !== undefined) throw failure
        return holds(events)
      })
    },
    async stop() {
      abort.abort()
      await ended
    },
    ended,
  }
}

/** Whether the events hold a change of this key (and, if given, this operation). */
export function hasChange(key: string, op?: Change['op']): (events: readonly SourceEvent[]) => boolean {
  return (events) =>
    events.some(
      (event) => event.kind === 'change' && event.change.key === key && (op === undefined || event.change.op === op),
    )
}

/** Whether no snapshot is under way any more, of those that the events tell of. */
export function isSnapshotDone(events: readonly SourceEvent[]): boolean {
  const last = new Map<string, EntityProgress | undefined>()
  for (const event of events)
    if (event.kind === 'state' && event.name.startsWith('snapshot/')) last.set(event.name, parseProgress(event.value))
  return last.size > 0 && [...last.values()].every((progress) => progress?.running === null)
}
