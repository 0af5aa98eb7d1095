import { setTimeout as wait } from 'node:timers/promises'
import { TributaryError, UnencodableValue } from '../../schemas/errors.ts'
import { parseKey } from '../../schemas/key.ts'
import type { HydratedRow } from '../source.ts'
import { joinArray } from './array-literal.ts'
import type { LocatedTable } from './captured-table.ts'
import { quoteName, type RawRow, type Sql } from './connection.ts'
import { fromTable } from './row-plan.ts'
import { readRow } from './snapshot/snapshot.ts'
import { readerFor } from './values.ts'

const KEYS_PER_QUERY_MAX = 500
/** A commit that waits for a synchronous standby is decoded before others can see it. */
const VISIBLE_WAIT_MAX_MS = 30_000
const VISIBLE_POLL_MS = 100

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
  const plan = { fields: fields.map((name, index) => ({ name, index: index + 1, read: readerFor(types.get(name)!) })) }
  const unique = [...new Set(keys)]
  for (let start = 0; start < unique.length; start += KEYS_PER_QUERY_MAX) {
    const asked = unique.slice(start, start + KEYS_PER_QUERY_MAX)
    const parts = asked.map((key) => parseKey(key, table.entity.key.length))
    // What is not a key of this entity has no row.
    const places = asked.flatMap((_, index) => (parts[index] === undefined ? [] : [index]))
    const parameters = table.entity.key.map((_, part) => joinArray(places.map((place) => parts[place]![part]!)))
    const rows = (await sql.unsafe(statement, parameters).raw()) as unknown as readonly RawRow[]
    for (const row of rows) {
      const read = readRow(plan, row)
      if ('field' in read)
        throw new UnencodableValue(
          read.field,
          read.reason,
          `field ${read.field} of entity ${table.entity.name}: ${read.reason}. Correct it at the source, or declare a wider type`,
        )
      found.set(asked[places[Number(row[0]!.toString('latin1')) - 1]!]!, read.values)
    }
  }
  return found
}

/** One array parameter a key column; the cast is on the parameter's side, so the key's index is used. */
function hydrateStatement(table: LocatedTable, fields: readonly string[]): string {
  const columns = fields.map((field) => `, t.${quoteName(table.columns[field]!)}`).join('')
  const parameters = table.entity.key.map((_, part) => `$${part + 1}::text[]`).join(', ')
  const names = table.entity.key.map((_, part) => `p${part}`).join(', ')
  const matches = table.entity.key
    .map((field, part) => `t.${quoteName(table.columns[field]!)} = k.p${part}::${table.typeNames[field]!}`)
    .join(' AND ')
  return `SELECT k.place${columns} FROM unnest(${parameters}) WITH ORDINALITY AS k(${names}, place) JOIN ${fromTable(table)} t ON ${matches}`
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
