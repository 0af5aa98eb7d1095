import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { onTestFinished } from 'vitest'
import { createPostgresSource, type PostgresSourceOptions } from '../../../connectors/postgres/source.ts'
import type { Source, SourceEvent, SourceState } from '../../../connectors/source.ts'
import type { Change } from '../../../schemas/delta.ts'
import type { Entity } from '../../../schemas/entity.ts'
import { type FieldType, parseFieldType } from '../../../schemas/field-type.ts'

export interface OwnDatabase {
  readonly url: string
  readonly sql: postgres.Sql
  readonly slot: string
}

/** A database of a test's own on the local server, dropped with its slots when the test ends. */
export async function ownDatabase(): Promise<OwnDatabase> {
  const serverUrl = process.env.TRIBUTARY_POSTGRES_URL
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

/** Waits for a condition; fails after 30 s. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within 30 s: ${what}`)
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
    snapshotChunkRows: 100,
    ...more,
  })
  onTestFinished(() => source.close())
  return source
}

export interface Collected {
  readonly events: SourceEvent[]
  readonly changes: () => readonly Change[]
  readonly state: () => SourceState | null
  /** The error that ended the stream, if one did. */
  readonly failure: () => unknown
  /** Waits until the events satisfy `holds`. */
  until(what: string, holds: (events: readonly SourceEvent[]) => boolean): Promise<void>
  stop(): Promise<void>
  readonly ended: Promise<void>
}

/** Reads a source in the background. `settle` says whether progress is acknowledged at once. */
export function collect(source: Source, state: SourceState | null = null, settle = true): Collected {
  const events: SourceEvent[] = []
  const abort = new AbortController()
  let current = state
  let failure: unknown
  const ended = (async () => {
    try {
      for await (const batch of source.events(state, abort.signal)) {
        for (const event of batch) {
          events.push(event)
          if (event.kind === 'state') current = event.state
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
    changes: () => events.flatMap((event) => (event.kind === 'change' ? [event.change] : [])),
    state: () => current,
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

export function isSnapshotDone(events: readonly SourceEvent[]): boolean {
  return events.some((event) => event.kind === 'state' && Object.keys(event.state.snapshots).length > 0)
}
