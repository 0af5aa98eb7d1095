import { TributaryError } from '../../schemas/errors.ts'
import type { SnapshotProgress, Source, SourceStatus } from '../source.ts'
import { type CapturedTable, objectName } from './captured-table.ts'
import { type Inspection, identityNotices, inspect } from './catalog/inspect.ts'
import { planPublication, preparePublication } from './catalog/publication.ts'
import { openPool } from './connection.ts'
import { captureEvents } from './events.ts'
import { failure } from './failure.ts'
import { hydrateRows, untilFlushed, untilVisible } from './hydrate.ts'
import type { OnNotice } from './notice.ts'
import type { HeartbeatHeard } from './slot/heartbeat.ts'
import { checkOwner, checkSlotName, describeSlot, loadLagSeconds, loadPlace, loadSlot } from './slot/slot.ts'
import type { SlotMemory } from './slot/slot-memory.ts'
import { loadRetention, type SlotHealth, startWatch } from './slot/watch.ts'

export type { CapturedTable } from './captured-table.ts'

export interface PostgresSourceOptions {
  /** The source's name in the declaration. */
  readonly name: string
  readonly url: string
  readonly slot: string
  readonly publication: string
  /** What follows when the history cannot be continued: a new epoch with a snapshot of everything, or a person's decision. */
  readonly onLostHistory: 'resnapshot' | 'hold'
  readonly entities: readonly CapturedTable[]
  readonly snapshot: SnapshotLimits
  /** 0: no heartbeats. */
  readonly heartbeatMs: number
  /** Where warnings about retained log begin at a server that sets no limit to it. */
  readonly walWarningBytes: number
  /** What was told about the slot; outlives this source, so that it is not told again at each restart. */
  readonly memory?: SlotMemory
  readonly onSlotHealth?: (health: SlotHealth | null) => void
  readonly onHeartbeat?: (heard: HeartbeatHeard) => void
  readonly onSnapshotProgress?: (progress: SnapshotProgress) => void
  readonly onNotice?: OnNotice
  /** How often the tables are looked at for those that left the log; for tests. */
  readonly tableLookMs?: number
  /** Microseconds since 1970-01-01 UTC. */
  readonly now?: () => bigint
}

/** How much a snapshot may ask of the server. */
export interface SnapshotLimits {
  /** The most rows of one chunk: what is read again after a crash. */
  readonly chunkRows: number
  /** How many tables are read side by side. */
  readonly tables: number
  /** Undefined for no limit. */
  readonly rowsPerSecond?: number | undefined
}

const CLOSE_WAIT_SECONDS = 2

/**
 * PostgreSQL as a source: logical replication through a slot, with snapshots spliced into the stream.
 * @throws TributaryError `declaration-invalid` when the url or the slot's name cannot be used
 */
export function createPostgresSource(options: PostgresSourceOptions): Source {
  const { name, url, slot, publication, entities, now = systemMicros } = options
  const application = `tributary ${name}`
  checkSlotName(slot)
  const sql = openPool(url, application)
  const active = new Set<AbortController>()
  let settled = 0n
  let readUpTo = 0n
  let holder: number | undefined
  let inspected: Promise<Inspection> | undefined
  let closed: Promise<void> | undefined
  const onNotice = options.onNotice ?? (() => {})

  /** Runs `doing`; what PostgreSQL throws comes out as one of our errors. */
  async function attempt<T>(doing: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      throw failure(doing, error)
    }
  }

  const inspectNow = () => {
    inspected = attempt(`checking source "${name}"`, () => inspect(sql, name, entities))
    // A failed check is not kept: the next caller checks again.
    inspected.catch(() => {
      inspected = undefined
    })
    return inspected
  }

  return {
    async plan() {
      const inspection = await inspectNow()
      return attempt(`checking source "${name}"`, async () => {
        const statement = await planPublication(sql, publication, inspection)
        const facts = await loadSlot(sql, slot)
        if (facts !== undefined) checkOwner(slot, facts, (await loadPlace(sql)).database)
        return [
          ...(statement === undefined ? [] : [`source ${name}: ${statement}`]),
          ...(facts === undefined
            ? [`source ${name}: create the replication slot "${slot}" when capture first starts`]
            : []),
        ]
      })
    },

    async prepare() {
      const inspection = await inspectNow()
      await attempt(`preparing source "${name}"`, async () => {
        const facts = await loadSlot(sql, slot)
        if (facts !== undefined) checkOwner(slot, facts, (await loadPlace(sql)).database)
        await preparePublication(sql, name, publication, inspection)
      })
    },

    async *events(context, signal) {
      if (active.size > 0) throw new TributaryError('invariant-broken', `source "${name}" is streaming already`)
      const own = new AbortController()
      active.add(own)
      const either = AbortSignal.any([signal, own.signal])
      settled = 0n
      readUpTo = 0n
      // While it waits as a standby as well: who holds the slot may be the one that is stuck.
      const watch = startWatch({ ...options, sql, onNotice, warnBytes: options.walWarningBytes })
      try {
        const inspection = await inspectNow()
        for (const notice of identityNotices(name, inspection)) onNotice(notice)
        const onHeld = (pid: number) => {
          holder = pid
        }
        const parts = {
          sql,
          application,
          inspection,
          context,
          onNotice,
          now,
          settled: () => settled,
          readUpTo: () => readUpTo,
          onHeld,
          signal: either,
        }
        if (!either.aborted) yield* captureEvents(options, parts)
      } catch (error) {
        // What an abort cuts off is not a failure.
        if (!either.aborted) throw failure(`streaming from slot "${slot}"`, error)
      } finally {
        watch.close()
        active.delete(own)
      }
    },

    async requireHeld() {
      const facts = await attempt(`looking at slot "${slot}"`, () => loadSlot(sql, slot))
      if (holder !== undefined && facts?.active_pid === holder) return
      throw new TributaryError(
        'source-unreachable',
        `slot "${slot}" is not held by this process any more. Nothing was sent; it is tried again`,
      )
    },

    acknowledge(position) {
      if (position > settled) settled = position
    },

    async hydrate(entity, keys, fields, transactions) {
      const inspection = await (inspected ?? inspectNow())
      const table = inspection.tables.find((one) => one.entity.name === entity)
      if (table === undefined)
        throw new TributaryError('invariant-broken', `source "${name}" does not capture entity ${entity}`)
      return attempt(`reading rows of ${objectName(table.table)}`, async () => {
        await untilVisible(sql, transactions)
        try {
          return await hydrateRows(sql, table, keys, fields)
        } finally {
          // What was read may be newer than what was captured so far, and must not be what the server then loses.
          const end = await untilFlushed(sql)
          if (end !== null && end > readUpTo) readUpTo = end
        }
      })
    },

    status(): Promise<SourceStatus> {
      return attempt(`reading slot "${slot}"`, async () => {
        const kept = await loadRetention(sql, slot)
        return {
          ...describeSlot(await loadSlot(sql, slot), (await loadPlace(sql)).end, await loadLagSeconds(sql, slot)),
          ...(kept && { retainedBytes: kept.retainedBytes, retainedLimitBytes: kept.limitBytes }),
        }
      })
    },

    close() {
      closed ??= (async () => {
        for (const own of active) own.abort()
        await sql.end({ timeout: CLOSE_WAIT_SECONDS })
      })()
      return closed
    },
  }
}

function systemMicros(): bigint {
  return BigInt(Date.now()) * 1_000n
}
