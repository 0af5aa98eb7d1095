import { randomUUID } from 'node:crypto'
import { request } from '../../../connectors/postgres/request.ts'
import type { Flow } from '../../support/flow.ts'
import type { Captures } from './captures.ts'
import type { Random } from './random.ts'

/** Something that happens to capture, to its connections or to its slot, and when: milliseconds from the beginning. */
export type OrderFault = { readonly atMs: number } & (
  | { readonly kind: 'kill' | 'terminate'; readonly member: number; readonly forMs: number }
  /** `isReplaced`: its stream is cut, as the server does by itself after 20 s, so that the other takes over at once. */
  | { readonly kind: 'freeze'; readonly member: number; readonly forMs: number; readonly isReplaced: boolean }
  | { readonly kind: 'cut-stream' | 'cut-sessions' | 'drop-slot' }
  | { readonly kind: 'kafka'; readonly member: number; readonly how: KafkaFault; readonly forMs: number }
  | { readonly kind: 'snapshot'; readonly entity: string; readonly isFiltered: boolean }
  | { readonly kind: 'truncate'; readonly table: string; readonly isBesideInserts: boolean }
)

type KafkaFault = 'cut' | 'stall' | 'lose-answers' | 'delay-send'

const BETWEEN_MS_MAX = 2_400
const GONE_MS_MAX = 3_000
const FROZEN_MS_MIN = 5_000
const FROZEN_MS_MAX = 40_000
const STALLED_MS_MAX = 8_000

const KINDS = [
  ...(['kill', 'kill', 'freeze', 'freeze', 'terminate', 'cut-stream', 'cut-sessions'] as const),
  ...(['kafka', 'kafka', 'kafka', 'snapshot', 'snapshot', 'snapshot', 'truncate', 'truncate', 'drop-slot'] as const),
]
const KAFKA_FAULTS = ['cut', 'stall', 'lose-answers', 'lose-answers', 'delay-send'] as const
const FILTERS: Readonly<Record<string, { readonly field: string; readonly op: string; readonly value: string }>> = {
  account: { field: 'id', op: '<', value: '40' },
  article: { field: 'revision', op: '>=', value: '2' },
  stock: { field: 'place', op: '=', value: 'p1' },
  document: { field: 'flag', op: '=', value: 'true' },
}
const INSERTS: Readonly<Record<string, (id: number) => string>> = {
  accounts: (id) => `INSERT INTO accounts VALUES (${id}, 'beside', 1, true) ON CONFLICT (id) DO NOTHING`,
  articles: (id) => `INSERT INTO articles VALUES (${id}, 'beside', 'short', 1) ON CONFLICT (id) DO NOTHING`,
  stock: (id) => `INSERT INTO stock VALUES ('p1', 'i${id}', 1, NULL) ON CONFLICT (place, item) DO NOTHING`,
}

/** All faults of a run. Pure but for the generator. */
export function planFaults(random: Random, forMs: number, members: number): readonly OrderFault[] {
  const faults: OrderFault[] = []
  for (let atMs = random.below(BETWEEN_MS_MAX); atMs < forMs; atMs += random.below(BETWEEN_MS_MAX))
    faults.push(planFault(random, atMs, members))
  return faults
}

function planFault(random: Random, atMs: number, members: number): OrderFault {
  const kind = random.oneOf(KINDS)
  const member = random.below(members)
  switch (kind) {
    case 'kill':
    case 'terminate':
      return { atMs, kind, member, forMs: random.below(GONE_MS_MAX) }
    case 'freeze': {
      const isReplaced = random.chance(0.7)
      // A replaced one has nothing to wait for.
      const longest = isReplaced ? 2 * FROZEN_MS_MIN : FROZEN_MS_MAX
      return { atMs, kind, member, forMs: FROZEN_MS_MIN + random.below(longest - FROZEN_MS_MIN), isReplaced }
    }
    case 'kafka':
      return { atMs, kind, member, how: random.oneOf(KAFKA_FAULTS), forMs: random.below(STALLED_MS_MAX) }
    case 'snapshot':
      return { atMs, kind, entity: random.oneOf(Object.keys(FILTERS)), isFiltered: random.chance(0.5) }
    case 'truncate':
      return { atMs, kind, table: random.oneOf(Object.keys(INSERTS)), isBesideInserts: random.chance(0.6) }
    default:
      return { atMs, kind }
  }
}

export async function inflict(flow: Flow, captures: Captures, fault: OrderFault): Promise<void> {
  switch (fault.kind) {
    case 'kill':
      captures.end(fault.member, 'SIGKILL', fault.forMs)
      break
    case 'terminate':
      captures.end(fault.member, 'SIGTERM', fault.forMs)
      break
    case 'freeze':
      captures.freeze(fault.member, fault.forMs)
      if (fault.isReplaced) await cutStream(flow)
      break
    case 'cut-stream':
      await cutStream(flow)
      break
    case 'cut-sessions':
      await flow.source`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'tributary %' AND pid NOT IN (
          SELECT active_pid FROM pg_replication_slots WHERE active_pid IS NOT NULL AND NOT temporary)`
      break
    case 'drop-slot':
      await cutStream(flow)
      await flow.source`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
        WHERE database = current_database() AND NOT temporary AND NOT active`.catch((error: unknown) => {
        // A standby was quicker.
        if ((error as { code?: string }).code !== '55006') throw error
      })
      break
    case 'kafka':
      breakKafka(captures, fault.member, fault.how, fault.forMs)
      break
    case 'snapshot': {
      const where = fault.isFiltered ? [FILTERS[fault.entity]!] : []
      await request(flow.sourceUrl, 'erp', [{ kind: 'snapshot', id: randomUUID(), entity: fault.entity, where }])
      break
    }
    case 'truncate':
      await truncate(flow, fault.table, fault.isBesideInserts)
  }
}

/** Ends the connection of who reads from the slot, and waits until it is free or another has it. */
async function cutStream(flow: Flow): Promise<void> {
  await flow.source`SELECT pg_terminate_backend(active_pid, 1000) FROM pg_replication_slots
    WHERE database = current_database() AND active AND NOT temporary`
}

function breakKafka(captures: Captures, member: number, how: KafkaFault, forMs: number): void {
  const proxy = captures.proxy(member)
  switch (how) {
    case 'cut':
      proxy.cut()
      break
    case 'stall':
      proxy.stall()
      setTimeout(() => proxy.heal(), forMs)
      break
    case 'lose-answers':
      // More than the library tries, at times: then the result stays unknown.
      proxy.loseAnswers(1 + (forMs % 8))
      break
    case 'delay-send':
      proxy.delaySend(1 + forMs)
  }
}

async function truncate(flow: Flow, table: string, isBesideInserts: boolean): Promise<void> {
  const insert = INSERTS[table]!
  const inTransaction = isBesideInserts
    ? [insert(3), insert(390), `TRUNCATE ${table}`, insert(5), insert(391)]
    : [`TRUNCATE ${table}`]
  await flow.source
    .begin(async (sql) => {
      for (const statement of inTransaction) await sql.unsafe(statement)
    })
    .catch((error: unknown) => {
      // A deadlock with a session.
      if ((error as { code?: string }).code !== '40P01') throw error
    })
}
