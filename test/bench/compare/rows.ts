import type postgres from 'postgres'
import { avscType } from '../../../schemas/avro/avsc-type.ts'
import { valueSubject } from '../../../schemas/avro.ts'
import { createDeltaDecoder } from '../../../schemas/codec.ts'
import type { Registry } from '../../../schemas/registry.ts'

/** One row as text that is the same whoever carried it: amounts without a point, times in microseconds. */
const ROW_SQL = `concat_ws('|', customer_id, name, email, street, city, notes, (balance * 100)::bigint, (credit_limit * 100)::bigint,
  discount, orders, (extract(epoch FROM created_at) * 1000000)::bigint, (extract(epoch FROM updated_at) * 1000000)::bigint)`

/** Reads a record's value: the row after the change, as text. */
export type ReadRow = (key: string, value: Buffer) => Promise<string> | string

const CURSOR_ROWS = 5_000

export async function sourceRows(sql: postgres.Sql): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  const rows = sql<
    { key: string; row: string }[]
  >`SELECT customer_id::text AS key, ${sql.unsafe(ROW_SQL)} AS row FROM customers`
  for await (const part of rows.cursor(CURSOR_ROWS)) for (const { key, row } of part) found.set(key, row)
  return found
}

/** How many rows are not as the source has them or not at the source at all, and how many of those expected are missing. */
export function countWrong(
  source: ReadonlyMap<string, string>,
  rows: Iterable<string>,
  expectedKeys: Iterable<string>,
): number {
  let wrong = 0
  const missing = new Set(expectedKeys)
  for (const row of rows) {
    const key = row.slice(0, row.indexOf('|'))
    missing.delete(key)
    if (source.get(key) !== row) wrong++
  }
  return wrong + missing.size
}

export function readDelta(registry: Registry, topic: string): ReadRow {
  const decoder = createDeltaDecoder(registry)
  return async (key, value) => {
    const { after } = await decoder.decode(valueSubject(topic), key, value)
    const amount = (name: string) =>
      String(after[name])
        .replace('.', '')
        .replace(/^(-?)0+(?=\d)/, '$1')
    return rowText({ ...after, balance: amount('balance'), credit_limit: amount('credit_limit') })
  }
}

/** With the schema in each record or without. */
export const readJsonEnvelope: ReadRow = (_key, value) => {
  const json = JSON.parse(value.toString())
  return envelopeText(json.payload ?? json, (text) => Buffer.from(text as string, 'base64'))
}

const HEAD_BYTES = 5

/** @param registryUrl the interface of Confluent's clients */
export function readAvroEnvelope(registryUrl: string): ReadRow {
  const types = new Map<number, Promise<ReturnType<typeof avscType>>>()
  const load = async (id: number) => {
    const answer = await fetch(`${registryUrl}/schemas/ids/${id}`)
    if (!answer.ok) throw new Error(`the registry answers ${answer.status} for schema ${id}`)
    const { schema } = (await answer.json()) as { schema: string }
    return avscType(JSON.parse(schema))
  }
  return async (_key, value) => {
    const id = value.readInt32BE(1)
    if (!types.has(id)) types.set(id, load(id))
    const type = await types.get(id)!
    const envelope = type.fromBuffer(value.subarray(HEAD_BYTES)) as { after: Record<string, unknown> }
    const after = Object.values(envelope.after)[0]
    // A union of null and a record is read as the record itself, or under its name.
    const row = typeof after === 'object' && after !== null && 'customer_id' in after ? after : envelope.after
    return envelopeText({ after: row as Record<string, unknown> }, (bytes) => bytes as Buffer)
  }
}

function envelopeText({ after }: { after: Record<string, unknown> }, bytes: (value: unknown) => Buffer): string {
  const discount = after.discount as { scale: number; value: unknown }
  return rowText({
    ...after,
    balance: integerOf(bytes(after.balance)),
    credit_limit: integerOf(bytes(after.credit_limit)),
    discount: withPoint(integerOf(bytes(discount.value)), discount.scale),
    created_at: microseconds(after.created_at as string),
    updated_at: microseconds(after.updated_at as string),
  })
}

function rowText(row: Readonly<Record<string, unknown>>): string {
  const names = [
    'customer_id',
    'name',
    'email',
    'street',
    'city',
    'notes',
    'balance',
    'credit_limit',
    'discount',
    'orders',
  ]
  return [...names, 'created_at', 'updated_at'].map((name) => String(row[name])).join('|')
}

/** Big-endian, two's complement. */
export function integerOf(bytes: Buffer): bigint {
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex') || '0'}`))
}

export function withPoint(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`
  return unscaled < 0n ? `-${text}` : text
}

/** `2026-11-22T10:00:00.12Z` since 1970. */
export function microseconds(text: string): bigint {
  const match = /^(.*?)(?:\.(\d+))?Z$/.exec(text)
  if (match === null) throw new Error(`${text} is no time in UTC`)
  return BigInt(Date.parse(`${match[1]}Z`)) * 1000n + BigInt((match[2] ?? '').padEnd(6, '0'))
}
