import postgres from 'postgres'
import { onTestFinished } from 'vitest'
import type { LocatedTable } from '../../../../connectors/postgres/captured-table.ts'
import type { TableFacts } from '../../../../connectors/postgres/catalog/catalog.ts'
import { inspect } from '../../../../connectors/postgres/catalog/inspect.ts'
import { openPool } from '../../../../connectors/postgres/connection.ts'
import { planRows, type RowPlan } from '../../../../connectors/postgres/row-plan.ts'
import type { Condition } from '../../../../connectors/postgres/snapshot/condition.ts'
import { type ChunkBatch, type ChunkOptions, readChunk } from '../../../../connectors/postgres/snapshot/read-chunk.ts'
import { snapshotColumns } from '../../../../connectors/postgres/snapshot/row-events.ts'
import { openSnapshotSession, type SnapshotSession } from '../../../../connectors/postgres/snapshot/session.ts'
import type { SourceEvent } from '../../../../connectors/source.ts'
import type { Delta } from '../../../../schemas/delta.ts'
import type { Entity } from '../../../../schemas/entity.ts'
import { captured, type OwnDatabase } from '../own-database.ts'

export const APPLICATION = 'tributary-test-snapshot'

/** A session under a snapshot of now, ended when the test ends. */
export async function sessionOf(database: OwnDatabase): Promise<SnapshotSession> {
  const exporter = postgres(database.url, { max: 1, onnotice: () => {} })
  await exporter.unsafe('BEGIN ISOLATION LEVEL REPEATABLE READ')
  const [row] = await exporter<{ name: string }[]>`SELECT pg_export_snapshot() AS name`
  const session = await openSnapshotSession(database.url, APPLICATION, row!.name)
  await exporter.end({ timeout: 0 })
  onTestFinished(() => session.end())
  return session
}

export interface Located {
  readonly table: LocatedTable
  readonly plan: RowPlan
  readonly facts: TableFacts
}

/** The table `public.<entity>` as the source would find it. */
export async function locate(database: OwnDatabase, entity: Entity): Promise<Located> {
  const pool = openPool(database.url, APPLICATION)
  try {
    const { tables, facts, types } = await inspect(pool, 'shop', [captured(entity)])
    const table = tables[0]!
    const columns = snapshotColumns(table).map((name) => facts[0]!.columns.find((one) => one.name === name)!)
    return { table, plan: planRows(table, columns, types), facts: facts[0]! }
  } finally {
    await pool.end()
  }
}

export function chunkOptions(signal: AbortSignal = new AbortController().signal): ChunkOptions {
  return { source: 'shop', epoch: 1n, position: 4096n, takenAt: 7n, capturedAt: () => 8n, signal }
}

export interface WholeRead {
  readonly events: readonly SourceEvent[]
  readonly keys: readonly string[]
  readonly rows: readonly Delta['after'][]
  readonly chunks: number
  readonly batches: readonly ChunkBatch[]
}

/** Reads a table to its end in chunks. */
export async function readWhole(
  session: SnapshotSession,
  { table, plan, facts }: Located,
  rows: number,
  where: readonly Condition[] = [],
): Promise<WholeRead> {
  const batches: ChunkBatch[] = []
  let after: readonly string[] | null = null
  let chunks = 0
  for (let exhausted = false; !exhausted; chunks++) {
    const chunk = readChunk(session, table, plan, facts, { after, where, rows }, chunkOptions())
    for (let next = await chunk.next(); ; next = await chunk.next()) {
      if (next.done) {
        exhausted = next.value
        break
      }
      batches.push(next.value)
      // Kept as JSON from one run to the next.
      after = JSON.parse(JSON.stringify(next.value.after))
    }
  }
  const events = batches.flatMap((batch) => batch.events)
  const changes = events.flatMap((event) => (event.kind === 'change' ? [event.change] : []))
  return {
    events,
    keys: changes.map((change) => change.key),
    rows: changes.map((change) => (change.op === 'delete' ? {} : change.after)),
    chunks,
    batches,
  }
}
