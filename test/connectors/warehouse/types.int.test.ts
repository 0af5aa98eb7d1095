import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Destination } from '../../../connectors/destination.ts'
import { createWarehouse } from '../../../connectors/warehouse/destination.ts'
import {
  DATE_INFINITY,
  DATE_MINUS_INFINITY,
  TIMESTAMP_INFINITY,
  TIMESTAMP_MINUS_INFINITY,
  type Value,
} from '../../../schemas/field-type.ts'
import { fullPatch, partialPatch } from '../../contract/destination-contract.ts'
import { mappingOf } from './mappings.ts'
import { createDatabase, type WarehouseDatabase } from './warehouse-database.ts'

/** Declared type → value and what the server shows of it as text in UTC. */
const CASES: readonly (readonly [string, Value, string | null])[] = [
  ['string', 'O\'Brien "x" \\ {,} NULL 😀\n\u0001', 'O\'Brien "x" \\ {,} NULL 😀\n\u0001'],
  ['string', '', ''],
  ['string', 'NULL', 'NULL'],
  ['string', null, null],
  ['boolean', true, 'true'],
  ['boolean', false, 'false'],
  ['int32', -2_147_483_648n, '-2147483648'],
  ['int64', 9_223_372_036_854_775_807n, '9223372036854775807'],
  ['int64', -9_007_199_254_740_993n, '-9007199254740993'],
  ['decimal(30,4)', '-12345678901234567890123456.7890', '-12345678901234567890123456.7890'],
  ['numeric', '1.00', '1.00'],
  ['numeric', 'NaN', 'NaN'],
  ['numeric', '-Infinity', '-Infinity'],
  ['double', -0, '-0'],
  ['double', Number.NaN, 'NaN'],
  ['double', Number.POSITIVE_INFINITY, 'Infinity'],
  ['double', 5e-324, '5e-324'],
  ['double', 0.1, '0.1'],
  ['double', 0.30000000000000004, '0.30000000000000004'],
  ['date', 0, '1970-01-01'],
  ['date', -719_163, '0001-12-31 BC'],
  ['date', 2_145_042_905, '5874897-12-31'],
  ['date', DATE_INFINITY, 'infinity'],
  ['date', DATE_MINUS_INFINITY, '-infinity'],
  ['time', 86_400_000_000n, '24:00:00'],
  ['time', 1n, '00:00:00.000001'],
  ['timestamp', -1n, '1969-12-31 23:59:59.999999'],
  ['timestamp', TIMESTAMP_MINUS_INFINITY, '-infinity'],
  ['timestamptz', 1_700_000_000_123_456n, '2023-11-14 22:13:20.123456+00'],
  ['timestamptz', TIMESTAMP_INFINITY, 'infinity'],
  ['timestamptz', -719_163n * 86_400_000_000n, '0001-12-31 00:00:00+00 BC'],
  ['uuid', '0f8fad5b-d9cb-469f-a165-70867728950e', '0f8fad5b-d9cb-469f-a165-70867728950e'],
  ['bytes', Buffer.from([0, 1, 92, 39, 255]), '\\x00015c27ff'],
  ['bytes', Buffer.alloc(0), '\\x'],
  ['json', '{"a": [1.10, null, "\\"q\\""]}', '{"a": [1.10, null, "\\"q\\""]}'],
  ['enum(open,paid)', 'open', 'open'],
  ['string[]', [], '{}'],
  ['string[]', ['a"b', 'c\\d', 'NULL', null, '', '{,}', "'"], '{"a\\"b","c\\\\d","NULL",NULL,"","{,}",\'}'],
  ['int64[]', [1n, null, -2n], '{1,NULL,-2}'],
  ['decimal(6,2)[]', ['1.10', null], '{1.10,NULL}'],
  ['bytes[]', [Buffer.from([1, 92])], '{"\\\\x015c"}'],
  ['date[]', [0, DATE_INFINITY], '{1970-01-01,infinity}'],
  ['timestamptz[]', [0n], '{"1970-01-01 00:00:00+00"}'],
  ['json[]', ['{"a": "b"}'], '{"{\\"a\\": \\"b\\"}"}'],
  ['boolean[]', [true, null], '{t,NULL}'],
]

const COLUMNS = Object.fromEntries(CASES.map(([type], at) => [`Column "${at}"`, type]))
const MAPPING = mappingOf('Every "type"', COLUMNS)
const DAYS = mappingOf('days', { day: 'date', at: 'timestamp' })

let database: WarehouseDatabase
let destination: Destination
const signal = new AbortController().signal

beforeAll(async () => {
  database = await createDatabase('types')
  // What a server or a role may be set to has to make no difference.
  await database.sql.unsafe(`DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET extra_float_digits = -3', current_database());
    EXECUTE format('ALTER DATABASE %I SET bytea_output = escape', current_database());
    EXECUTE format('ALTER DATABASE %I SET DateStyle = German', current_database());
  END $$`)
  const options = { name: 'types', url: database.url, schema: 'types', mappings: [MAPPING, DAYS], connections: 1 }
  destination = createWarehouse(options)
  await destination.provision()
  await destination.check()
})
afterAll(async () => {
  await destination.close()
  await database.drop()
})

async function shown(key: string): Promise<readonly (string | null)[]> {
  const quoted = Object.keys(COLUMNS).map((name) => `"${name.replaceAll('"', '""')}"::text AS "${name.length}"`)
  return await database.sql.begin(async (sql) => {
    await sql`SET LOCAL TimeZone = 'UTC'`
    await sql`SET LOCAL extra_float_digits = 1`
    await sql`SET LOCAL bytea_output = 'hex'`
    await sql`SET LOCAL DateStyle = 'ISO'`
    const rows = await sql
      .unsafe(`SELECT ${quoted.join(', ')} FROM types."Every ""type""" WHERE tributary_key = $1`, [key])
      .values()
    return rows[0] as (string | null)[]
  })
}

describe('every type arrives without loss', () => {
  const values = Object.fromEntries(CASES.map(([, value], at) => [`Column "${at}"`, value]))
  const texts = CASES.map(([, , text]) => text)

  it('in a full upsert', async () => {
    expect(await destination.apply(MAPPING, [fullPatch('full', 1, values)], signal)).toEqual([{ kind: 'applied' }])
    expect(await shown('full')).toEqual(texts)
  })

  it('and is read back in its canonical form', async () => {
    await destination.apply(MAPPING, [fullPatch('read', 1, values)], signal)
    expect(await destination.read!(MAPPING, 'read', signal)).toEqual(values)
  })

  it('in a partial update of a set of columns of its own', async () => {
    const keys = Array.from({ length: 10 }, (_, at) => `own-${at}`)
    await destination.apply(
      MAPPING,
      keys.map((key) => fullPatch(key, 1, {})),
      signal,
    )
    await destination.apply(
      MAPPING,
      keys.map((key) => partialPatch(key, 2, values)),
      signal,
    )
    for (const key of keys) expect(await shown(key)).toEqual(texts)
  })

  it('in a masked update, which leaves the other columns as they are', async () => {
    await destination.apply(MAPPING, [fullPatch('masked', 1, values)], signal)
    for (const [at] of CASES.entries()) {
      const patch = partialPatch('masked', 2 + at, { [`Column "${at}"`]: null })
      expect(await destination.apply(MAPPING, [patch], signal)).toEqual([{ kind: 'applied' }])
      expect(await shown('masked')).toEqual(texts.map((text, other) => (other <= at ? null : text)))
    }
    await destination.apply(MAPPING, [partialPatch('masked', 1000, values)], signal)
    expect(await shown('masked')).toEqual(texts)
  })
})

it('days and times are those of the server over its whole calendar', async () => {
  const first = -2_440_588
  const last = 2_145_042_905
  const days = Array.from({ length: 999 }, (_, at) => Math.round(first + ((last - first) / 998) * at))
  const micros = Array.from({ length: 999 }, (_, at) => -210_866_803_200_000_000n + BigInt(at) * 9_444_000_000_000_001n)
  const patches = days.map((day, at) => fullPatch(String(at), 1, { day, at: micros[at]! }))
  expect(new Set((await destination.apply(DAYS, patches, signal)).map(({ kind }) => kind))).toEqual(
    new Set(['applied']),
  )
  const rows = await database.sql`SELECT tributary_key AS key, (day - '1970-01-01'::date)::text AS day,
    (extract(epoch FROM at) * 1000000)::numeric(40,0)::text AS at FROM types.days`
  expect(rows).toHaveLength(999)
  for (const { key, day, at } of rows) {
    expect(day).toBe(String(days[Number(key)]))
    expect(at).toBe(String(micros[Number(key)]))
  }
  for (let at = 0; at < days.length; at += 37)
    expect(await destination.read!(DAYS, String(at), signal)).toEqual({ day: days[at], at: micros[at] })
})
