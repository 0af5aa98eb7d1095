import { openAdmin } from '../../connectors/kafka/admin.ts'
import { parseProgress } from '../../connectors/postgres/snapshot/progress.ts'
import { entitiesOf } from '../../ops/declaration/captured-tables.ts'
import { groupsOf } from '../../ops/process/delivery.ts'
import { loadStored } from '../../producers/positions.ts'
import { eventually, type Flow } from './flow.ts'

const QUIET_WITHIN_MS = 180_000

/**
 * Waits until everything that the source committed before this call was captured, and every subscriber's group has finished every record of its
 * topics. What is not right then will not become right by waiting.
 */
export async function untilQuiet(flow: Flow, withinMs = QUIET_WITHIN_MS): Promise<void> {
  await untilCaptured(flow, withinMs)
  await untilSnapshotted(flow, withinMs)
  await untilDelivered(flow, withinMs)
}

/** Waits until the first state of every entity is published: a new slot stands past changes of which only the snapshot tells. */
export async function untilSnapshotted(flow: Flow, withinMs = QUIET_WITHIN_MS): Promise<void> {
  const { declaration, kafka } = flow.environment()
  for (const source of declaration.sources.keys()) {
    const wanted = entitiesOf(declaration, source).map(({ name }) => name)
    await eventually(
      async () => {
        const { values } = await loadStored(kafka, declaration.kafka.brokers, declaration.name, source)
        return wanted.every((entity) => parseProgress(values.get(`snapshot/${entity}`))?.running === null)
      },
      `the snapshots of ${wanted.join(', ')} are published`,
      withinMs,
    )
  }
}

/** Waits until the source's slot has confirmed everything that is in the log now. */
export async function untilCaptured(flow: Flow, withinMs = QUIET_WITHIN_MS): Promise<void> {
  const [now] = await flow.source<{ lsn: string }[]>`SELECT pg_current_wal_insert_lsn()::text AS lsn`
  let stands = ''
  await eventually(
    async () => {
      const [slot] = await flow.source<{ done: boolean; lsn: string | null }[]>`
        SELECT confirmed_flush_lsn >= ${now!.lsn}::pg_lsn AS done, confirmed_flush_lsn::text AS lsn
        FROM pg_replication_slots WHERE database = current_database() AND NOT temporary`
      stands = slot?.lsn ?? 'nowhere'
      return slot?.done === true
    },
    () => `the source is captured up to ${now!.lsn}; the slot stands at ${stands}`,
    withinMs,
  )
}

/** Waits until every group has committed the end of every partition. */
async function untilDelivered(flow: Flow, withinMs: number): Promise<void> {
  const { declaration, kafka } = flow.environment()
  const admin = await openAdmin(kafka, declaration.kafka.brokers)
  let left: string[] = []
  try {
    const groups = [...declaration.subscribers.values()].flatMap((subscriber) => groupsOf(declaration, subscriber))
    await eventually(
      async () => {
        left = []
        for (const { groupId, routes } of groups) {
          const rows = await admin.groupLag(
            groupId,
            routes.map(({ topic }) => topic),
          )
          for (const { topic, partition, committed, low, high } of rows)
            if (high > low && (committed ?? low) < high)
              left.push(`${groupId} ${topic}/${partition}: ${committed} of ${high}`)
        }
        return left.length === 0
      },
      () => `every record is delivered; unfinished: ${left.join(', ')}`,
      withinMs,
    )
  } finally {
    await admin.close()
  }
}
