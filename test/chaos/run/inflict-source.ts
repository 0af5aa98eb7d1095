import postgres from 'postgres'
import { pause } from '../../../connectors/pause.ts'
import type { Flow } from '../../support/flow.ts'
import { isAway, withinTime } from '../workload/away.ts'
import type { Random } from '../workload/random.ts'
import type { Scene } from './scene.ts'

/** How a fault is ended. */
export type Heal = () => Promise<void> | void

const BIG_ROWS = 2_000
const BIG_PARTS_MS = 1_500
/** Far beyond what locks make it wait. */
const SESSION_MS_MAX = 60_000
/** As many as the types that are declared allow. */
const BALANCE_DIGITS_MAX = 14
const NAME_CHARS_MORE = 20
const EXTRA_COLUMNS_MAX = 100_000
const GIVEN_UP_WITHIN_MS = 20_000
/** Rather than to wait behind a long session, with everybody else behind it. */
const LOCK_TIMEOUT = "SET LOCAL lock_timeout = '3s'"
const NOT_NOW = new Set(['40P01', '55P03'])
/** The server went away in the middle, and the rest came to another session. */
const NO_SAVEPOINT = '25P01'

/**
 * Does something in a session of its own, which takes an open transaction with it, unless it meets a session of the workload. Not by `begin` or
 * `reserve` of the library: they write to a connection that is gone, which ends this process.
 */
async function inOwnSession({ sourceUrl }: Flow, act: (sql: postgres.Sql) => Promise<void>): Promise<void> {
  const sql = postgres(sourceUrl, { max: 1, onnotice: () => {} })
  try {
    await withinTime(act(sql), SESSION_MS_MAX)
  } catch (error) {
    if (!NOT_NOW.has((error as { code?: string }).code ?? '')) throw error
  } finally {
    await sql.end({ timeout: 0 })
  }
}

/** Runs statements in one transaction, unless it meets a session: then nothing happens. */
export async function tryAtSource({ flow }: Scene, ...statements: readonly string[]): Promise<void> {
  await inOwnSession(flow, async (sql) => {
    for (const statement of ['BEGIN', LOCK_TIMEOUT, ...statements, 'COMMIT']) await sql.unsafe(statement)
  })
}

/** A column that nobody declares comes, is written to, and goes again. */
export async function addColumn(scene: Scene, random: Random): Promise<Heal> {
  const table = random.oneOf(['accounts', 'articles', 'stock', 'documents'])
  const column = `extra_${random.below(EXTRA_COLUMNS_MAX)}`
  const type = random.oneOf(['integer', "text DEFAULT 'there'", 'timestamptz DEFAULT clock_timestamp()'])
  await tryAtSource(
    scene,
    `ALTER TABLE ${table} ADD COLUMN IF NOT EXISTS ${column} ${type}`,
    `UPDATE ${table} SET ${column} = NULL WHERE ${table === 'stock' ? "place = 'p1'" : 'random() < 0.5'}`,
  )
  return () => tryAtSource(scene, `ALTER TABLE ${table} DROP COLUMN IF EXISTS ${column}`)
}

/** One of the changes of a type that the documentation says are safe at any time, with rows of it in the same transaction. */
export async function widenType(scene: Scene, random: Random): Promise<void> {
  const [at] = await scene.flow.source<{ chars: number; digits: number }[]>`
    SELECT max(character_maximum_length)::int AS chars, max(numeric_precision) FILTER (WHERE column_name = 'balance')::int AS digits
    FROM information_schema.columns WHERE table_name = 'accounts'`
  const [alter, update] = random.oneOf([
    [`accounts ALTER name TYPE varchar(${at!.chars + NAME_CHARS_MORE})`, 'accounts SET open = NOT open WHERE id <= 4'],
    [
      `accounts ALTER balance TYPE numeric(${Math.min(at!.digits + 1, BALANCE_DIGITS_MAX)},2)`,
      'accounts SET balance = balance + 1 WHERE id <= 4',
    ],
    // Every row is written anew, of which the log says nothing to those who capture.
    ['articles ALTER revision TYPE bigint', 'articles SET revision = revision + 1 WHERE id <= 4'],
  ] as const)
  await tryAtSource(scene, `UPDATE ${update}`, `ALTER TABLE ${alter}`)
  scene.renewSource()
  await tryAtSource(scene, `UPDATE ${update}`)
}

/** Every row moves to another file of the same table. */
export async function rewriteTable({ flow }: Scene, random: Random): Promise<void> {
  await inOwnSession(flow, async (sql) => {
    await sql.unsafe("SET lock_timeout = '3s'")
    await sql.unsafe(`VACUUM FULL ${random.oneOf(['accounts', 'articles', 'stock', 'documents'])}`)
  })
}

/**
 * One transaction of thousands of rows that stays open while short ones are committed beside it, with a part of it taken back; at times all of it.
 * @returns what waits for its end
 */
export function bigTransaction({ flow }: Scene, random: Random, over: AbortSignal): Heal {
  const rows = (from: number) =>
    `INSERT INTO stock SELECT 'bulk', 'b' || i, ${random.below(1_000)}, NULL FROM generate_series(${from}, ${from + BIG_ROWS - 1}) i
     ON CONFLICT (place, item) DO UPDATE SET quantity = excluded.quantity`
  const parts = [
    [rows(1), 'UPDATE accounts SET open = NOT open WHERE id = 3'],
    ['SAVEPOINT half', rows(BIG_ROWS / 2), `DELETE FROM stock WHERE place = 'bulk' AND item LIKE '%7'`],
    [random.chance(0.6) ? 'ROLLBACK TO half' : 'RELEASE half'],
    [`DELETE FROM stock WHERE place = 'bulk' AND item LIKE '%${random.below(10)}'`],
  ]
  const isKept = random.chance(0.8)
  const done = inOwnSession(flow, async (sql) => {
    await sql.unsafe('BEGIN')
    for (const part of parts) {
      for (const statement of part) await sql.unsafe(statement)
      await pause(BIG_PARTS_MS, over)
    }
    await sql.unsafe(isKept ? 'COMMIT' : 'ROLLBACK')
  }).catch((error: unknown) => {
    if (!isAway(error) && (error as { code?: string }).code !== NO_SAVEPOINT) throw error
  })
  done.catch(() => {})
  return async () => {
    await done
  }
}

/** The source's server crashes. */
export async function killSource({ servers, renewSource }: Scene): Promise<Heal> {
  await servers.source.kill()
  return async () => {
    await servers.source.start()
    renewSource()
  }
}

/** Somebody drops the slot. */
export async function dropSlot(scene: Scene): Promise<Heal> {
  const { source } = scene.flow
  await source`SELECT pg_terminate_backend(active_pid, 1000) FROM pg_replication_slots
    WHERE database = current_database() AND active AND NOT temporary`
  await source`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
    WHERE database = current_database() AND NOT temporary AND NOT active`.catch((error: unknown) => {
    // Capture was quicker.
    if ((error as { code?: string }).code !== '55006') throw error
  })
  return () => recover(scene)
}

/** Capture stands still for so long that the server gives its slot up. */
export async function invalidateSlot(scene: Scene): Promise<Heal> {
  const { flow, members, servers } = scene
  members.freeze('capture')
  await servers.source.configure({ max_slot_wal_keep_size: '2MB' })
  const within = AbortSignal.timeout(GIVEN_UP_WITHIN_MS)
  const isLost = async (sql: postgres.Sql) => {
    const slots = await sql<{ status: string | null }[]>`
      SELECT wal_status AS status FROM pg_replication_slots WHERE database = current_database() AND NOT temporary`
    return slots.every(({ status }) => status === 'lost')
  }
  while (!within.aborted && !(await isLost(flow.source))) {
    await flow.source`SELECT pg_logical_emit_message(false, 'chaos', repeat('x', 1000000), true)`
    await flow.source`CHECKPOINT`
  }
  return async () => {
    await servers.source.configure({ max_slot_wal_keep_size: '-1' })
    members.thaw()
    await recover(scene)
  }
}

/** The server is copied now, and comes back as that copy when the fault is ended. */
export async function restoreSource(scene: Scene): Promise<Heal> {
  const copy = await scene.servers.source.copyData()
  scene.renewSource()
  return async () => {
    await scene.servers.source.restore(copy)
    scene.renewSource()
    await recover(scene)
  }
}

/** What the documentation tells a person to do where capture waits for one. */
async function recover({ flow, plan, shown }: Scene): Promise<void> {
  if (!plan.isHeld) return
  const { code, stdout, stderr } = await flow.run('recover', 'erp')
  shown.push({ atMs: Date.now(), process: 'recover erp', text: stdout + stderr })
  // Before its first position is stored there is no history that could be lost: capture begins as at its first start.
  if (code !== 0 && !stderr.includes('has not been captured yet'))
    throw new Error(`tributary recover erp ended with ${code}: ${stdout}${stderr}`)
}
