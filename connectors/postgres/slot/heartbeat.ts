import { systemCode } from '../../../schemas/errors.ts'
import type { Sql } from '../connection.ts'
import { failure } from '../failure.ts'
import type { OnNotice } from '../notice.ts'
import { newSlotMemory, type SlotMemory } from './slot-memory.ts'

/**
 * Heartbeats: small messages that are written to the log of the source's database and come back through the slot. So the slot has
 * something to confirm while all traffic is in other tables, and whoever watches sees that capture really reads.
 */
export const HEARTBEAT_PREFIX = 'tributary-heartbeat'

/** From this release on a message can be flushed at once; before, it waits for other traffic or the next of the server's own records (15 s). */
const FLUSH_SINCE_VERSION = 170_000
const CONTENT_LENGTH_MAX = 1_000

/** For metrics. */
export interface HeartbeatHeard {
  /** Milliseconds since 1970. */
  readonly heardAtMs: number
  readonly roundTripSeconds: number
}

export interface HeartbeatOptions {
  readonly sql: Sql
  /** The source's name in the declaration. */
  readonly source: string
  /** Its slot: it tells our heartbeats from those of other readers of the database. */
  readonly slot: string
  /** 0: none are sent. */
  readonly everyMs: number
  readonly onNotice: OnNotice
  /** Default: nothing was told yet. */
  readonly memory?: SlotMemory | undefined
  readonly onHeard?: ((heard: HeartbeatHeard) => void) | undefined
  /** Microseconds since 1970-01-01 UTC. */
  readonly now: () => bigint
}

export interface Heartbeat {
  /** One of ours came back through the slot. @param sentAtMicros from {@link parseHeartbeat} */
  heard(sentAtMicros: bigint): void
  /** No more are sent. Idempotent. */
  close(): void
}

/**
 * Sends a heartbeat now and each `everyMs`, one at a time. Never throws: what keeps them from being sent is told as a notice, once a kind
 * until one was sent again. A server in recovery gets none, without a notice: it cannot write.
 */
export function startHeartbeat(options: HeartbeatOptions): Heartbeat {
  const { sql, source, slot, everyMs, onNotice, onHeard = () => {}, now } = options
  const { heartbeats: toldKinds } = options.memory ?? newSlotMemory()
  let closed = false
  let timer: NodeJS.Timeout | undefined
  let canFlush: boolean | undefined

  const send = async () => {
    try {
      canFlush ??= await loadCanFlush(sql)
      if (closed) return
      const content = formatHeartbeat(source, slot, now())
      await (canFlush
        ? sql`SELECT pg_logical_emit_message(false, ${HEARTBEAT_PREFIX}, ${content}, true) WHERE NOT pg_is_in_recovery()`
        : sql`SELECT pg_logical_emit_message(false, ${HEARTBEAT_PREFIX}, ${content}) WHERE NOT pg_is_in_recovery()`)
      toldKinds.clear()
    } catch (error) {
      // After an upgrade the server may be another release.
      canFlush = undefined
      const kind = kindOf(error)
      if (!closed && !toldKinds.has(kind)) {
        toldKinds.add(kind)
        const { message } = failure('sending a heartbeat', error)
        onNotice({ code: 'heartbeat-failed', level: 'warn', message: `${message} Capture goes on without heartbeats.` })
      }
    } finally {
      if (!closed) timer = setTimeout(send, everyMs)
    }
  }
  if (everyMs > 0) void send()

  return {
    heard(sentAtMicros) {
      if (closed) return
      const nowMicros = now()
      // The clock of another machine, of a capture process before this one, may be ahead.
      const microseconds = nowMicros > sentAtMicros ? nowMicros - sentAtMicros : 0n
      onHeard({ heardAtMs: Number(nowMicros / 1_000n), roundTripSeconds: Number(microseconds) / 1e6 })
    },
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}

async function loadCanFlush(sql: Sql): Promise<boolean> {
  const [row] = await sql<{ version: number }[]>`SELECT current_setting('server_version_num')::int AS version`
  return row!.version >= FLUSH_SINCE_VERSION
}

/** An SQLSTATE or the code of a connection. */
function kindOf(error: unknown): string {
  return systemCode(error) ?? 'unknown'
}

export function formatHeartbeat(source: string, slot: string, sentAtMicros: bigint): string {
  return JSON.stringify({ source, slot, sentAt: String(sentAtMicros) })
}

/**
 * Reads the content of a message with the prefix {@link HEARTBEAT_PREFIX}. Anyone who may write to the database can send one.
 * @returns when it was sent, in microseconds since 1970; undefined when it is not a heartbeat of this slot
 */
export function parseHeartbeat(content: Buffer | string, slot: string): bigint | undefined {
  if (content.length > CONTENT_LENGTH_MAX) return undefined
  try {
    const read: unknown = JSON.parse(content.toString())
    if (typeof read !== 'object' || read === null || !('slot' in read) || read.slot !== slot) return undefined
    return 'sentAt' in read && typeof read.sentAt === 'string' && /^\d{1,19}$/.test(read.sentAt)
      ? BigInt(read.sentAt)
      : undefined
  } catch {
    // Somebody else's text under our prefix.
    return undefined
  }
}
