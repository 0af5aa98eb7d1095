import { expect, it } from 'vitest'
import { createWarehouse } from '../../../connectors/warehouse/destination.ts'
import { fullPatch, partialPatch, removal } from '../../contract/destination-contract.ts'
import { mappingOf } from './mappings.ts'

const MAPPING = mappingOf('my things', { name: 'string', visits: 'int64', credit: 'decimal(30,2)', note: 'string' })

// Nobody is at that address: a preview asks nothing.
const warehouse = createWarehouse({
  name: 'preview',
  url: 'postgres://user:canary-password@127.0.0.1:1/nowhere',
  schema: 's',
  mappings: [MAPPING],
  connections: 1,
})
const preview = (patch: Parameters<NonNullable<typeof warehouse.preview>>[1]) => warehouse.preview!(MAPPING, patch)

it('a partial update has the columns of the patch and no others, with their values as text, to the last digit', () => {
  const fields = { visits: 9_223_372_036_854_775_807n, credit: '12345678901234567890.10', note: null }
  const { request, headers, body } = preview(partialPatch('k', 5, fields))
  expect(request).toMatch(/^BEGIN; UPDATE "s"\."my things" AS t SET .+"visits" = .+ RETURNING .+; COMMIT$/)
  expect(request).not.toContain('"name"')
  expect(request).not.toContain('\n')
  expect(headers).toEqual({})
  expect(body).toBe(
    '{"tributary_key":"k","tributary_version":"0000000000000001000000000000000580000000","visits":"9223372036854775807","credit":"12345678901234567890.10","note":null}',
  )
})

it('a full upsert and a delete have their whole transaction', () => {
  expect(preview(fullPatch('k', 1, { name: 'Alice' })).request).toMatch(
    /^BEGIN; SELECT pg_advisory_xact_lock_shared\(.+\); INSERT INTO "s"\."my things" .+; COMMIT$/,
  )
  const removed = preview(removal('k', 1))
  expect(removed.request).toMatch(
    /pg_advisory_xact_lock\(.+; DELETE FROM .+; INSERT INTO "s"\."tributary_guard" .+; COMMIT$/,
  )
  expect(Object.keys(JSON.parse(removed.body!))).toEqual(['tributary_key', 'tributary_version'])
})

it('what can never be sent says why', () => {
  const text = preview(fullPatch('k', 1, { name: 'canary\0' }))
  expect(text).toMatchObject({ request: expect.stringMatching(/^nothing: .*name.*U\+0000/), body: null })
  expect(preview(removal('k\0', 1)).request).toMatch(/^nothing: the record key/)
})

it('has no secret and no address', () => {
  for (const patch of [fullPatch('k', 1, {}), partialPatch('k', 1, { note: 'x' }), removal('k', 1)])
    expect(JSON.stringify(preview(patch))).not.toMatch(/canary|127\.0\.0\.1/)
})
