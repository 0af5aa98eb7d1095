import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { readerFor } from '../../../../connectors/postgres/values.ts'
import { parseFieldType } from '../../../../schemas/field-type.ts'
import { captured, collect, entityOf, hasChange, isSnapshotDone, ownDatabase, sourceFor } from '../own-database.ts'

const DOCUMENT = entityOf('document', { id: 'int64', title: 'string', body: 'string' })

async function documents(identity: 'FULL' | 'DEFAULT') {
  const database = await ownDatabase()
  await database.sql`CREATE TABLE document (id bigint PRIMARY KEY, title text, body text)`
  await database.sql.unsafe(`ALTER TABLE document REPLICA IDENTITY ${identity}`)
  // Random text does not compress, so it is stored out of line.
  const body = randomBytes(20_000).toString('hex')
  const source = sourceFor(database, [DOCUMENT])
  await source.prepare()
  const seen = collect(source)
  await seen.until('the snapshot', isSnapshotDone)
  await database.sql`INSERT INTO document VALUES (1, 'first', ${body})`
  return { ...database, source, seen, body }
}

test('full identity: a large value that did not change is taken from the old row, and is not named as changed', async () => {
  const { sql, seen, body } = await documents('FULL')
  await sql`UPDATE document SET title = 'second'`
  await sql`UPDATE document SET id = 2`
  await seen.until('the key change', hasChange('2'))
  const [, update, , moved] = seen.changes()
  expect(update).toMatchObject({ op: 'update', changed: ['title'], after: { id: 1n, title: 'second', body } })
  expect(moved).toMatchObject({ op: 'create', key: '2', after: { id: 2n, title: 'second', body } })
})

test('default identity: a large value that did not change is named as missing, and hydrate reads it', async () => {
  const { sql, source, seen, body } = await documents('DEFAULT')
  await sql`UPDATE document SET title = 'second'`
  await sql`UPDATE document SET id = 2`
  await seen.until('the key change', hasChange('2'))
  const events = seen.events.flatMap((event) => (event.kind === 'change' ? [event] : []))
  expect(events.map((event) => [event.change.op, event.missing])).toEqual([
    ['create', []],
    ['update', ['body']],
    ['delete', []],
    ['create', ['body']],
  ])
  const update = events[1]!.change
  expect(update.op !== 'delete' && update.after).toEqual({ id: 1n, title: 'second' })
  const rows = await source.hydrate(
    'document',
    ['1', '2'],
    ['body'],
    events.map((event) => event.change.source.transaction),
  )
  expect([...rows]).toEqual([['2', { body }]])
})

test('hydrate waits until a decoded transaction is visible to others', async () => {
  const { sql, source } = await documents('DEFAULT')
  const holding = Promise.withResolvers<void>()
  const wrote = Promise.withResolvers<string>()
  const transaction = sql.begin(async (tx) => {
    await tx`UPDATE document SET title = 'new'`
    const [row] = await tx`SELECT (pg_current_xact_id()::text::bigint & 4294967295)::text AS xid`
    wrote.resolve(row!.xid)
    await holding.promise
  })
  const rows = source.hydrate('document', ['1'], ['title'], [await wrote.promise])
  const first = await Promise.race([rows, sql`SELECT pg_sleep(0.3)`.then(() => 'still waiting')])
  expect(first).toBe('still waiting')
  holding.resolve()
  await transaction
  expect([...(await rows)]).toEqual([['1', { title: 'new' }]])
})

/** Declared type, column type, SQL value, canonical value. Written once before the snapshot and once after. */
const VALUES: readonly (readonly [string, string, string, unknown])[] = [
  ['string', 'text', `E'a\\tb\\n"ü" 😀'`, 'a\tb\n"ü" 😀'],
  ['string', 'char(5)', `'ab'`, 'ab   '],
  ['string', 'interval', `'1 year 2 days 03:04:05.000006'`, '1 year 2 days 03:04:05.000006'],
  ['string', 'int4range', `'[1,5)'`, '[1,5)'],
  ['boolean', 'boolean', 'true', true],
  ['boolean', 'boolean', 'false', false],
  ['int32', 'int', '-2147483648', -2147483648n],
  ['int32', 'smallint', '32767', 32767n],
  ['int64', 'bigint', '9223372036854775807', 9223372036854775807n],
  ['int64', 'bigint', '-9223372036854775808', -9223372036854775808n],
  ['decimal(12,3)', 'numeric', '-0123.45', '-123.450'],
  [
    'decimal(38,10)',
    'numeric(38,10)',
    '1234567890123456789012345678.0123456789',
    '1234567890123456789012345678.0123456789',
  ],
  ['numeric', 'numeric', `'NaN'`, 'NaN'],
  ['numeric', 'numeric', `'-Infinity'`, '-Infinity'],
  ['numeric', 'numeric', '1.000000000000000000000000000000000000001', '1.000000000000000000000000000000000000001'],
  ['double', 'float8', '0.1::float8 + 0.2::float8', 0.1 + 0.2],
  ['double', 'float8', `'NaN'`, Number.NaN],
  ['double', 'float8', `'-Infinity'`, Number.NEGATIVE_INFINITY],
  ['double', 'float4', '0.1', 0.1],
  ['date', 'date', `'1970-01-02'`, 1],
  ['date', 'date', `'0001-01-01 BC'`, -719528],
  ['date', 'date', `'4713-01-01 BC'`, -2440550],
  ['date', 'date', `'5874897-12-31'`, 2145042905],
  ['date', 'date', `'infinity'`, 2147483647],
  ['time', 'time', `'24:00:00'`, 86400000000n],
  ['time', 'time', `'01:02:03.000004'`, 3723000004n],
  ['timestamp', 'timestamp', `'1969-12-31 23:59:59.999999'`, -1n],
  ['timestamp', 'timestamp', `'294246-12-31 23:59:59.999999'`, 9223371244799999999n],
  ['timestamptz', 'timestamptz', `'2024-02-29 12:00:00.123456+05:30'`, 1709188200123456n],
  ['timestamptz', 'timestamptz', `'-infinity'`, -9223372036854775808n],
  ['timestamptz', 'timestamptz', `'4714-11-24 00:00:00+00 BC'`, -210866803200000000n],
  ['uuid', 'uuid', `'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'`, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  ['bytes', 'bytea', `'\\x00ff10'`, Buffer.from([0, 255, 16])],
  ['bytes', 'bytea', `''`, Buffer.alloc(0)],
  ['json', 'json', `'{"b": 1,  "a": 2}'`, '{"b": 1,  "a": 2}'],
  ['json', 'jsonb', `'{"b": 1.10,  "a": 2}'`, '{"a": 2, "b": 1.10}'],
  ['enum(sad,ok)', 'mood', `'ok'`, 'ok'],
  ['string', 'mood', `'sad'`, 'sad'],
  ['int64', 'positive', '5', 5n],
  [
    'string[]',
    'text[]',
    `ARRAY['a,b', NULL, 'NULL', '"q"', '\\', '{}', '']`,
    ['a,b', null, 'NULL', '"q"', '\\', '{}', ''],
  ],
  ['int64[]', 'bigint[]', `'[0:1]={7,8}'`, [7n, 8n]],
  ['decimal(6,2)[]', 'numeric[]', `'{}'`, []],
  ['timestamptz[]', 'timestamptz[]', `'{"1970-01-01 00:00:00.000001+00"}'`, [1n]],
  ['enum(sad,ok)[]', 'mood[]', `'{ok,sad}'`, ['ok', 'sad']],
  ['string', 'text', 'NULL', null],
]

test('every type comes through with every digit, the same from the snapshot, the stream and hydrate', async () => {
  const database = await ownDatabase()
  const { sql } = database
  await sql`CREATE TYPE mood AS ENUM ('sad', 'ok')`
  await sql`CREATE DOMAIN positive AS bigint CHECK (VALUE > 0)`
  const names = VALUES.map((_, index) => `f${index}`)
  await sql.unsafe(
    `CREATE TABLE thing (id int PRIMARY KEY, ${VALUES.map(([, type], index) => `f${index} ${type}`).join(', ')})`,
  )
  await sql`ALTER TABLE thing REPLICA IDENTITY FULL`
  // A role's own settings must not leak into the text.
  await sql.unsafe(`ALTER DATABASE "${new URL(database.url).pathname.slice(1)}" SET datestyle = 'German, DMY'`)
  await sql.unsafe(`ALTER DATABASE "${new URL(database.url).pathname.slice(1)}" SET timezone = 'Asia/Kolkata'`)
  await sql.unsafe(`ALTER DATABASE "${new URL(database.url).pathname.slice(1)}" SET bytea_output = 'escape'`)
  const list = VALUES.map(([, , value]) => value).join(', ')
  await sql.unsafe(`SET datestyle = 'ISO, YMD'; INSERT INTO thing VALUES (1, ${list})`)
  const thing = entityOf('thing', {
    id: 'int32',
    ...Object.fromEntries(VALUES.map(([type], index) => [`f${index}`, type])),
  })
  const source = sourceFor(database, [thing], { entities: [captured(thing)] })
  await source.prepare()
  const seen = collect(source)
  await seen.until('the snapshot', isSnapshotDone)
  await sql.unsafe(`INSERT INTO thing VALUES (2, ${list})`)
  await seen.until('the row', hasChange('2'))
  const expected = Object.fromEntries(VALUES.map(([, , , value], index) => [`f${index}`, value]))
  const afters = seen.changes().map((change) => change.op !== 'delete' && change.after)
  expect(afters).toEqual([
    { id: 1n, ...expected },
    { id: 2n, ...expected },
  ])
  expect([...(await source.hydrate('thing', ['2'], names, []))]).toEqual([['2', expected]])
})

test('dates and timestamps of all ages are what the server itself counts', async () => {
  const { sql } = await ownDatabase()
  await sql.unsafe(`SET TimeZone = 'UTC'`)
  const rows = (await sql.unsafe(`
    SELECT t::text AS stamp, trunc(extract(epoch FROM t) * 1000000)::text AS micros, t::date::text AS date, (t::date - date '1970-01-01')::text AS days
    FROM (SELECT timestamp '4714-12-01 BC' + make_interval(days => (n * 54321)::int, secs => n * 1234.567891) AS t
          FROM generate_series(0, 1900) n) s`)) as unknown as {
    stamp: string
    micros: string
    date: string
    days: string
  }[]
  const read = (type: string, text: string) =>
    readerFor(parseFieldType(type))(Buffer.from(text), 0, Buffer.byteLength(text))
  for (const { stamp, micros, date, days } of rows) {
    expect(read('timestamp', stamp), stamp).toBe(BigInt(micros))
    expect(read('date', date), date).toBe(Number(days))
  }
})
