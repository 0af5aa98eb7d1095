import { setTimeout as wait } from 'node:timers/promises'
import { TributaryError, UnencodableValue } from '../../schemas/errors.ts'
import { formatKey, parseKey } from '../../schemas/key.ts'
import type { HydratedRow } from '../source.ts'
import { joinArray } from './array-literal.ts'
import type { LocatedTable } from './captured-table.ts'
import { quoteName, type RawRow, type Sql } from './connection.ts'
import { parseLsn } from './lsn.ts'
import { fromTable } from './row-plan.ts'
import { readRow } from './snapshot/row-events.ts'
import { readerFor } from './values.ts'

const KEYS_PER_QUERY_MAX = 500
/** A commit that waits for a synchronous standby is decoded before others can see it. */
const VISIBLE_WAIT_MAX_MS = 30_000
const VISIBLE_POLL_MS = 100
/** The server's log writer comes by every 200 ms, unless it is set otherwise. */
const FLUSH_WAIT_MAX_MS = 30_000
const FLUSH_POLL_MS = 20
const NUDGE_POLLS = 5

/**
 * Reads the present state of rows by key.
 * @throws TributaryError `value-unencodable` when a value does not fit its field; ask for fewer keys to find which
 */
export async function hydrateRows(
  sql: Sql,
  table: LocatedTable,
  keys: readonly string[],
  fields: readonly string[],
): Promise<ReadonlyMap<string, HydratedRow>> {
  const found = new Map<string, HydratedRow>()
  const statement = hydrateStatement(table, fields)
  const types = new Map(table.entity.fields.map((field) => [field.name, field.type]))
  // Column 0 is the key's place in the question.
  const reader = (name: string) => readerFor(types.get(name)!, table.limits)
  const plan = { fields: fields.map((name, index) => ({ name, index: index + 1, read: reader(name) })) }
  const unique = [...new Set(keys)]
  for (let start = 0; start < unique.length; start += KEYS_PER_QUERY_MAX) {
    const asked = unique.slice(start, start + KEYS_PER_QUERY_MAX)
    const parts = asked.map((key) => parseKey(key, table.entity.key.length))
    // What is not a key of this entity has no row.
    const places = asked.flatMap((_, index) => (parts[index] === undefined ? [] : [index]))
    const rows = await readByKey(sql, table, statement, places, parts)
    for (const row of rows) {
      const key = asked[places[Number(row[0]!.toString('latin1')) - 1]!]!
      // `007` finds the row of key 7, and must not become a second key of it.
      if (key !== formatKey(keyTexts(row, fields.length + 1))) continue
      const read = readRow(plan, row)
      if ('field' in read)
        throw new UnencodableValue(
          read.field,
          read.reason,
          `field ${read.field} of entity ${table.entity.name}: ${read.reason}. Correct it at the source, or declare a wider type`,
        )
      found.set(key, read.values)
    }
  }
  return found
}

type KeyParts = readonly (readonly string[] | undefined)[]

/**
 * Runs the statement for these places. Anyone may ask for a key, so what the key's type refuses (`x` for a bigint) has no row: those
 * that it takes are found by halves.
 */
async function readByKey(
  sql: Sql,
  table: LocatedTable,
  statement: string,
  places: readonly number[],
  parts: KeyParts,
): Promise<readonly RawRow[]> {
  // What is left out keeps its place, as null: the answer counts places.
  const parameters = (some: ReadonlySet<number>) =>
    table.entity.key.map((_, part) => joinArray(places.map((at) => (some.has(at) ? parts[at]![part]! : null))))
  const run = async (some: readonly number[]) =>
    (await sql.unsafe(statement, parameters(new Set(some))).raw()) as unknown as readonly RawRow[]
  try {
    return await run(places)
  } catch (error) {
    if (!isDataError(error)) throw error
    const good = await castable(sql, table, places, parts)
    if (good.length === places.length) throw error
    return await run(good)
  }
}

async function castable(
  sql: Sql,
  table: LocatedTable,
  places: readonly number[],
  parts: KeyParts,
): Promise<readonly number[]> {
  const parameters = table.entity.key.map((_, part) => joinArray(places.map((place) => parts[place]![part]!)))
  const casts = table.entity.key.map((field, part) => `count(p${part}::${table.typeNames[field]!})`).join(', ')
  try {
    await sql.unsafe(`SELECT ${casts} FROM ${keysAsked(table)}`, parameters)
    return places
  } catch (error) {
    if (!isDataError(error)) throw error
    if (places.length === 1) return []
    const middle = places.length >> 1
    const before = await castable(sql, table, places.slice(0, middle), parts)
    return [...before, ...(await castable(sql, table, places.slice(middle), parts))]
  }
}

/** SQLSTATE class 22: a value that a cast refuses. */
function isDataError(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && /^22[0-9A-Z]{3}$/.test(code)
}

function keyTexts(row: RawRow, from: number): string[] {
  return row.slice(from).map((part) => part!.toString('utf8'))
}

/** One array parameter a key column; the cast is on the parameter's side, so the key's index is used. */
function hydrateStatement(table: LocatedTable, fields: readonly string[]): string {
  const columns = [...fields, ...table.entity.key].map((field) => `, t.${quoteName(table.columns[field]!)}`).join('')
  const matches = table.entity.key
    .map((field, part) => `t.${quoteName(table.columns[field]!)} = k.p${part}::${table.typeNames[field]!}`)
    .join(' AND ')
  return `SELECT k.place${columns} FROM ${keysAsked(table)} JOIN ${fromTable(table)} t ON ${matches}`
}

function keysAsked(table: LocatedTable): string {
  const parameters = table.entity.key.map((_, part) => `$${part + 1}::text[]`).join(', ')
  const names = table.entity.key.map((_, part) => `p${part}`).join(', ')
  return `unnest(${parameters}) WITH ORDINALITY AS k(${names}, place)`
}

/**
 * Waits until transactions that were decoded are visible to a query that starts after this.
 * @throws TributaryError `source-unreachable` when they are not within 30 s
 */
export async function untilVisible(sql: Sql, transactions: readonly (string | null)[]): Promise<void> {
  const wanted = [...new Set(transactions.filter((one) => one !== null))].map(Number)
  if (wanted.length === 0) return
  for (let waitedMs = 0; ; waitedMs += VISIBLE_POLL_MS) {
    const [row] = await sql<{ snapshot: string }[]>`SELECT pg_current_snapshot()::text AS snapshot`
    if (allVisible(row!.snapshot, wanted)) return
    if (waitedMs >= VISIBLE_WAIT_MAX_MS)
      throw new TributaryError(
        'source-unreachable',
        'committed transactions are not visible yet, perhaps because they wait for a synchronous standby. It is tried again; check the standby',
      )
    await wait(VISIBLE_POLL_MS)
  }
}

/**
 * Waits until what a query that ended before this could see is on the server's disk: a transaction that was committed with
 * `synchronous_commit = off` is visible before, and a crash of the server loses it.
 * @returns where the log ended at most when that query ran; null in recovery, where only what is safe elsewhere is seen
 * @throws TributaryError `source-unreachable` when it is not within 30 s
 */
export async function untilFlushed(sql: Sql): Promise<bigint | null> {
  let wanted: bigint | undefined
  for (let polls = 0; ; polls++) {
    const [row] = await sql<{ end: string | null; flushed: string | null }[]>`
      SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_insert_lsn() END::text AS end,
        CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_flush_lsn() END::text AS flushed`
    const end = parseLsn(row!.end ?? '')
    if (end === undefined) return null
    wanted ??= end
    if (parseLsn(row!.flushed ?? '')! >= wanted) return wanted
    if (polls * FLUSH_POLL_MS >= FLUSH_WAIT_MAX_MS)
      throw new TributaryError(
        'source-unreachable',
        'the server does not write its log to disk, so what was read of it is not safe yet. It is tried again; check the disk of the server',
      )
    // What an open transaction has written waits for a commit: of an empty transaction with a number, which the server's log writer follows.
    if (polls % NUDGE_POLLS === NUDGE_POLLS - 1) await sql`SELECT pg_current_xact_id() WHERE NOT pg_is_in_recovery()`
    await wait(FLUSH_POLL_MS)
  }
}

/**
 * Whether a snapshot (`xmin:xmax:running,…`, 64-bit) sees transactions that the log names by their low 32 bits. Pure.
 * They committed, so each is running or done; of the numbers that share the bits the nearest below `xmax` + 2^31 is meant.
 */
export function allVisible(snapshot: string, transactions: readonly number[]): boolean {
  const [, xmaxText, running] = snapshot.split(':') as [string, string, string]
  const xmax = BigInt(xmaxText)
  const inProgress = new Set(running === '' ? [] : running.split(','))
  return transactions.every((transaction) => {
    let full = ((xmax >> 32n) << 32n) | BigInt(transaction)
    if (full > xmax + 0x8000_0000n) full -= 0x1_0000_0000n
    else if (full < xmax - 0x8000_0000n) full += 0x1_0000_0000n
    return full < xmax && !inProgress.has(String(full))
  })
}
