import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Destination } from '../../../connectors/destination.ts'
import { createWarehouse } from '../../../connectors/warehouse/destination.ts'
import { fullPatch, removal } from '../../contract/destination-contract.ts'
import { mappingOf } from './mappings.ts'
import { createDatabase, type WarehouseDatabase } from './warehouse-database.ts'

const THINGS = mappingOf('things', { a: 'decimal(4,2)', b: 'string[]' }, 'soft')
const { signal } = new AbortController()

let database: WarehouseDatabase
let destination: Destination

beforeAll(async () => {
  database = await createDatabase('read')
  destination = createWarehouse({ name: 'read', url: database.url, schema: 'r', mappings: [THINGS], connections: 1 })
  await destination.provision()
})
afterAll(async () => {
  await destination.close()
  await database.drop()
})

describe('an object that is read', () => {
  it('is none for a key that cannot be stored, whatever it holds', async () => {
    await destination.apply(THINGS, [fullPatch("'; --", 1, { a: '1.00', b: null })], signal)
    expect(await destination.read!(THINGS, "'; --", signal)).toEqual({ a: '1.00', b: null })
    expect(await destination.read!(THINGS, 'a\0b', signal)).toBeNull()
    expect(await destination.read!(THINGS, '\ud800', signal)).toBeNull()
  })

  it('that others have given what its type cannot hold is an error that names the column and not the value', async () => {
    await destination.apply(THINGS, [fullPatch('strange', 1, { a: '1.00', b: null })], signal)
    await database.sql`UPDATE r.things SET b = '{{canary}}' WHERE tributary_key = 'strange'`
    const reading = destination.read!(THINGS, 'strange', signal)
    await expect(reading).rejects.toMatchObject({
      code: 'destination-unsuitable',
      message: expect.stringMatching(/subscriber "read": .*things\.b .*more than one dimension/),
    })
    await expect(reading).rejects.not.toMatchObject({ message: expect.stringContaining('canary') })
  })

  it('is an error when the warehouse is away or the question called off, and the next one is answered', async () => {
    const url = new URL(database.url)
    url.port = '1'
    const away = createWarehouse({ name: 'away', url: url.href, schema: 'r', mappings: [THINGS], connections: 1 })
    await expect(away.read!(THINGS, 'k', signal)).rejects.toMatchObject({ code: 'destination-unreachable' })
    await away.close()
    await expect(destination.read!(THINGS, 'k', AbortSignal.abort())).rejects.toMatchObject({
      code: 'destination-unreachable',
    })
    expect(await destination.read!(THINGS, 'k', signal)).toBeNull()
  })
})

it('keys come in pages, in the order of their bytes and once each, without those that are marked; others may work between two pages', async () => {
  const { sql } = database
  await sql`DELETE FROM r.things`
  await sql`INSERT INTO r.things (tributary_key, tributary_version, tributary_deleted_at)
    SELECT g::text, '\\x00', CASE WHEN g % 3 = 0 THEN now() END FROM generate_series(1, 18000) g`
  const odd = ['', ' ', 'é', '["a","b"]', '😀', 'Z', 'a']
  await destination.apply(
    THINGS,
    odd.map((key) => fullPatch(key, 1, {})),
    signal,
  )
  await destination.apply(THINGS, [removal('a', 2)], signal)
  const numbers = Array.from({ length: 18_000 }, (_, at) => at + 1).filter((at) => at % 3 !== 0)
  const expected = [...numbers.map(String), ...odd.filter((key) => key !== 'a')].sort((a, b) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  )
  const pages: (readonly string[])[] = []
  for await (const page of destination.keys!(THINGS, signal)) {
    pages.push(page)
    // There is one connection: a listing that kept it would wait for itself here.
    expect(await destination.read!(THINGS, page[0]!, signal)).not.toBeNull()
  }
  expect(pages.length).toBeGreaterThan(2)
  expect(Math.max(...pages.map(({ length }) => length))).toBeLessThanOrEqual(5_000)
  expect(pages.flat()).toEqual(expected)
})
