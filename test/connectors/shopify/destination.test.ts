import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Destination, EntityMapping } from '../../../connectors/destination.ts'
import type { Sandbox } from '../../../connectors/http/sandbox-server.ts'
import { startShopifySandbox } from '../../../connectors/shopify/sandbox.ts'
import { fullPatch, partialPatch, removal } from '../../contract/destination-contract.ts'
import { applyOne, mappingOf, openStore, operations } from './store.ts'

const PRODUCTS = mappingOf('product', ['handle'], {
  title: 'string',
  vendor: 'string',
  status: 'string',
  tags: 'string[]',
  'seo.title': 'string',
  'metafields.custom.weight': 'decimal(10,3)',
  'metafields.custom.since': 'date',
  'metafields.custom.at': 'timestamptz',
  'metafields.custom.stock': 'int64',
  'metafields.custom.sizes': 'int64[]',
})
const CUSTOMERS = mappingOf('customer', ['email'], {
  email: 'string',
  firstName: 'string',
  taxExempt: 'boolean',
  phone: 'string',
})
const DEFINITIONS = {
  'PRODUCT custom.weight': 'number_decimal',
  'PRODUCT custom.since': 'date',
  'PRODUCT custom.at': 'date_time',
  'PRODUCT custom.stock': 'number_integer',
  'PRODUCT custom.sizes': 'list.number_integer',
}

let sandbox: Sandbox
let store: Destination

beforeEach(async () => {
  sandbox = await startShopifySandbox({ definitions: DEFINITIONS })
  store = openStore(sandbox.url, [PRODUCTS, CUSTOMERS], { timeoutMs: 30_000 })
})
afterEach(async () => {
  await store.close()
  await sandbox.close()
})

const LAMP = { title: 'Lamp', vendor: 'Oak', status: 'ACTIVE', tags: ['b', 'a'] }
const apply = (mapping: EntityMapping, patch: Parameters<typeof applyOne>[2]) => applyOne(store, mapping, patch)
const made = () => apply(PRODUCTS, fullPatch('lamp', 1, LAMP))

test('the contract of the store is met: nothing to plan, and check passes', async () => {
  expect(await store.plan()).toEqual([])
  await store.check()
  expect(store.comparesVersions).toBe(false)
  expect(store.lateRequestMs).toBe(60_000)
})

test('a change is one request once the object is known, and holds what changed alone', async () => {
  await made()
  sandbox.forgetRequests()
  expect((await apply(PRODUCTS, partialPatch('lamp', 2, { vendor: null }))).kind).toBe('applied')
  expect(operations(sandbox.requests)).toEqual(['UpdateProduct'])
  const { variables } = JSON.parse(sandbox.requests[0]!.body)
  expect(Object.keys(variables.product).sort()).toEqual(['id', 'vendor'])
  expect(sandbox.objects('product')).toMatchObject([{ title: 'Lamp', vendor: '', tags: ['a', 'b'] }])
})

test('the key is not repeated in an update, also where it is mapped', async () => {
  await apply(CUSTOMERS, fullPatch('a@example.com', 1, { email: 'a@example.com', firstName: 'Ada' }))
  sandbox.forgetRequests()
  await apply(CUSTOMERS, fullPatch('a@example.com', 2, { email: 'a@example.com', firstName: 'Ida' }))
  const { variables } = JSON.parse(sandbox.requests[0]!.body)
  expect(Object.keys(variables.input).sort()).toEqual(['firstName', 'id'])
  expect(await store.read!(CUSTOMERS, 'a@example.com', new AbortController().signal)).toMatchObject({
    email: 'a@example.com',
    firstName: 'Ida',
  })
})

test('every type goes over and comes back without losing a digit', async () => {
  const values = {
    ...LAMP,
    tags: ['a', 'b'],
    'seo.title': 'a "quoted" \\ title',
    'metafields.custom.weight': '1234567890.120',
    'metafields.custom.since': 19_000,
    'metafields.custom.at': 1_700_000_000_123_456n,
    'metafields.custom.stock': 9_007_199_254_740_991n,
    'metafields.custom.sizes': [1n, 9_007_199_254_740_991n],
  }
  expect((await apply(PRODUCTS, fullPatch('lamp', 1, values))).kind).toBe('applied')
  expect(await store.read!(PRODUCTS, 'lamp', new AbortController().signal)).toEqual(values)
})

test('metafields alone are set by metafieldsSet, cleared ones are deleted, and with fields all go in one mutation', async () => {
  await made()
  sandbox.forgetRequests()
  await apply(PRODUCTS, partialPatch('lamp', 2, { 'metafields.custom.weight': '1.500' }))
  await apply(PRODUCTS, partialPatch('lamp', 3, { title: 'Light', 'metafields.custom.since': 1 }))
  await apply(PRODUCTS, partialPatch('lamp', 4, { 'metafields.custom.weight': null }))
  expect(operations(sandbox.requests)).toEqual(['SetMetafields', 'UpdateProduct', 'DeleteMetafields'])
  expect(sandbox.objects('product')).toMatchObject([{ title: 'Light', metafields: { 'custom.since': '1970-01-02' } }])
})

test('a part that failed after another took effect is unknown, never unavailable or rejected', async () => {
  await made()
  await sandbox.misbehave({ throttle: { retryAfterSeconds: 1, after: 1 } })
  const outcome = await apply(PRODUCTS, partialPatch('lamp', 3, { title: 'Lux', 'metafields.custom.weight': null }))
  expect(outcome.kind).toBe('unknown')
  expect(sandbox.objects('product')).toMatchObject([{ title: 'Lux' }])
})

test('nothing sent replaces a list that the record does not hold whole: productSet is never called', async () => {
  await made()
  for (const patch of [partialPatch('lamp', 2, { tags: ['c'] }), fullPatch('lamp', 3, LAMP), removal('lamp', 4)])
    await apply(PRODUCTS, patch)
  await apply(CUSTOMERS, fullPatch('a@example.com', 1, { firstName: 'Ada' }))
  for (const { body } of sandbox.requests)
    expect(body).not.toMatch(/productSet|"variants"|"options"|"media"|"addresses"|collections/i)
})

test('no value ever becomes part of a document', async () => {
  const evil = '") { id } } mutation { productDelete(input: {id: "1'
  await apply(PRODUCTS, fullPatch('lamp', 1, { ...LAMP, title: evil }))
  for (const { body } of sandbox.requests) expect(JSON.parse(body).query).not.toContain('productDelete')
  expect(sandbox.objects('product')).toMatchObject([{ title: evil }])
})

describe('an object', () => {
  test('that may only be updated is waited for', async () => {
    const mapping = { ...PRODUCTS, updateOnly: true }
    expect(await apply(mapping, fullPatch('lamp', 1, LAMP))).toMatchObject({
      kind: 'blocked',
      by: '',
      code: 'object-missing',
    })
    expect(sandbox.objects('product')).toEqual([])
  })

  test('that is gone while its id is still known is looked up again', async () => {
    await made()
    const other = openStore(sandbox.url, [PRODUCTS])
    await applyOne(other, PRODUCTS, removal('lamp', 2))
    await other.close()
    expect((await apply(PRODUCTS, partialPatch('lamp', 3, { title: 'x' }))).kind).toBe('absent')
    expect((await apply(PRODUCTS, fullPatch('lamp', 3, LAMP))).kind).toBe('applied')
    expect(sandbox.objects('product')).toHaveLength(1)
  })

  test('that a person archived stays so, and one that was deleted here comes back active', async () => {
    const mapping: EntityMapping = { ...mappingOf('product', ['handle'], { title: 'string' }), onDelete: 'soft' }
    await apply(mapping, fullPatch('lamp', 1, { title: 'Lamp' }))
    await apply(mapping, removal('lamp', 2))
    expect(sandbox.objects('product')).toMatchObject([
      { status: 'ARCHIVED', metafields: { 'tributary.deleted': 'true' } },
    ])
    await apply(mapping, fullPatch('lamp', 3, { title: 'Lamp' }))
    expect(sandbox.objects('product')).toMatchObject([
      { status: 'ACTIVE', metafields: { 'tributary.deleted': 'false' } },
    ])
    await apply(PRODUCTS, partialPatch('lamp', 4, { status: 'ARCHIVED' }))
    expect((await apply(mapping, partialPatch('lamp', 5, { title: 'Light' }))).kind).toBe('applied')
    expect(sandbox.objects('product')).toMatchObject([{ status: 'ARCHIVED', title: 'Light' }])
  })

  test('whose key is no handle is rejected before the vendor makes another key of it', async () => {
    for (const key of ['Lamp', 'a b', 'a.b', '', 'x'.repeat(256)])
      expect(await apply(PRODUCTS, fullPatch(key, 1, LAMP))).toMatchObject({ kind: 'rejected', code: 'key-unsuitable' })
    expect(sandbox.requests).toEqual([])
  })

  test('whose unique value another one holds is waited with, and arrives when it is free', async () => {
    await apply(CUSTOMERS, fullPatch('a@example.com', 1, { firstName: 'Ada', phone: '+31201234567' }))
    const second = fullPatch('b@example.com', 1, { firstName: 'Bea', phone: '+31201234567' })
    expect(await apply(CUSTOMERS, second)).toMatchObject({ kind: 'blocked', by: '', code: 'duplicate-value' })
    await apply(CUSTOMERS, partialPatch('a@example.com', 2, { phone: null }))
    expect((await apply(CUSTOMERS, second)).kind).toBe('applied')
  })
})

describe('a record at fault is rejected, with the code and the field and no value', () => {
  const CANARY = 'canary-7f3a'
  test.each([
    [
      'a rule of the store',
      fullPatch('b@example.com', 1, { firstName: CANARY }),
      { rejectKeys: ['b@example.com'] },
      'user-error',
      'email',
    ],
    ['a form of the store', fullPatch(`${CANARY}@@`, 1, { firstName: 'Ada' }), {}, 'user-error', 'email'],
  ])('%s', async (_, patch, how, code, field) => {
    await sandbox.misbehave(how)
    const outcome = await apply(CUSTOMERS, patch)
    expect(outcome).toMatchObject({ kind: 'rejected', code })
    expect((outcome as { reason: string }).reason).toContain(field)
    expect(JSON.stringify(outcome)).not.toContain(CANARY)
  })

  test('the schema', async () => {
    const outcome = await apply(PRODUCTS, fullPatch('lamp', 1, { ...LAMP, status: CANARY }))
    expect(outcome).toMatchObject({ kind: 'rejected', code: 'INVALID_VARIABLE' })
    expect((outcome as { reason: string }).reason).toContain('status')
    expect(JSON.stringify(outcome)).not.toContain(CANARY)
  })

  test('a metafield beyond what its type holds', async () => {
    await made()
    const outcome = await apply(PRODUCTS, partialPatch('lamp', 2, { 'metafields.custom.stock': 2n ** 53n }))
    expect(outcome).toMatchObject({ kind: 'rejected', code: 'INVALID_VALUE' })
    expect(JSON.stringify(outcome)).not.toContain('9007199254740992')
  })

  test('what cannot be cleared, and text that is none', async () => {
    await made()
    expect(await apply(PRODUCTS, partialPatch('lamp', 2, { title: null }))).toMatchObject({
      kind: 'rejected',
      code: 'value-missing',
    })
    expect(await apply(PRODUCTS, partialPatch('lamp', 2, { title: '\ud800' }))).toMatchObject({
      code: 'text-not-unicode',
    })
  })
})

describe('what the store or the way to it does', () => {
  test('THROTTLED is throttled until the points are there', async () => {
    await sandbox.misbehave({ throttle: { retryAfterSeconds: 3 } })
    expect(await made()).toEqual({ kind: 'throttled', afterMs: 3000 })
    expect(store.budget!()).toMatchObject({ left: 0 })
  })

  test.each([
    [429, 'throttled', 'throttled'],
    [503, 'unavailable', 'unknown'],
    [402, 'unavailable', 'unavailable'],
    [423, 'unavailable', 'unavailable'],
    [403, 'unavailable', 'unavailable'],
    [404, 'unavailable', 'unavailable'],
    [500, 'unavailable', 'unknown'],
    [502, 'unavailable', 'unknown'],
    [504, 'unavailable', 'unknown'],
    [400, 'rejected', 'rejected'],
  ])('status %i is %s for a query and %s for a mutation', async (status, query, mutation) => {
    await made()
    await sandbox.misbehave({ status })
    expect((await apply(PRODUCTS, fullPatch('other', 1, LAMP))).kind).toBe(query)
    expect((await apply(PRODUCTS, partialPatch('lamp', 2, { title: 'x' }))).kind).toBe(mutation)
  })

  test('a connection that breaks is unknown for a mutation, applied or not; for a query nothing happened', async () => {
    await made()
    for (const reset of ['before', 'after'] as const) {
      await sandbox.misbehave({ reset })
      expect((await apply(PRODUCTS, partialPatch('lamp', 2, { title: reset }))).kind).toBe('unknown')
      expect((await apply(PRODUCTS, fullPatch('other', 1, LAMP))).kind).toBe('unavailable')
    }
    expect(sandbox.objects('product')).toMatchObject([{ title: 'after' }])
  })

  test('a store that is down, and a token that ran out, are unavailable; it goes on when they are back', async () => {
    await sandbox.misbehave({ down: true })
    expect((await made()).kind).toBe('unavailable')
    await sandbox.misbehave({})
    expect((await made()).kind).toBe('applied')
    await sandbox.misbehave({ expireTokens: true })
    const outcome = await apply(PRODUCTS, partialPatch('lamp', 2, { title: 'x' }))
    expect(outcome).toMatchObject({ kind: 'unavailable', error: { code: 'destination-unsuitable' } })
    expect(JSON.stringify(outcome)).not.toContain('shpat_')
    await expect(store.check()).rejects.toMatchObject({ code: 'destination-unsuitable' })
  })

  test('a mutation that is given up before its answer is unknown; a query changed nothing', async () => {
    await made()
    for (const [patch, kind] of [
      [partialPatch('lamp', 2, { title: 'x' }), 'unknown'],
      [fullPatch('other', 1, LAMP), 'unavailable'],
    ] as const) {
      await sandbox.misbehave({ hang: 'before' })
      sandbox.forgetRequests()
      const leaving = new AbortController()
      const outcomes = store.apply(PRODUCTS, [patch], leaving.signal)
      await vi.waitFor(() => expect(sandbox.requests.at(-1)?.result).toBe('hung-before'), { timeout: 30_000 })
      leaving.abort()
      expect((await outcomes)[0]!.kind).toBe(kind)
    }
  })

  test('private addresses are refused where they are not allowed', async () => {
    const closed = openStore(sandbox.url, [PRODUCTS], { allowAddresses: [] })
    expect((await applyOne(closed, PRODUCTS, fullPatch('lamp', 1, LAMP))).kind).toBe('unavailable')
    await closed.close()
  })
})

describe('plan says what is missing, and nothing is made', () => {
  const planned = async (mapping: EntityMapping) => {
    const other = openStore(sandbox.url, [mapping])
    const missing = await other.plan()
    await expect(other.check()).rejects.toMatchObject({ code: 'destination-unsuitable' })
    await other.close()
    return missing.join('\n')
  }
  test.each([
    ['a target', mappingOf('order', ['name'], { title: 'string' }), /no such target/],
    ['a field', mappingOf('product', ['handle'], { variants: 'string[]' }), /variants cannot be mapped/],
    ['a type', mappingOf('product', ['handle'], { title: 'int64' }), /title is int64/],
    ['a key field', mappingOf('product', ['title'], { vendor: 'string' }), /keyFields is \[title\]/],
    [
      'a delete policy',
      mappingOf('customer', ['email'], { note: 'string' }, { onDelete: 'soft' }),
      /deletes can be hard, ignore/,
    ],
    [
      'stock that would be deleted',
      mappingOf('inventory', ['sku'], { available: 'int64' }),
      /deletes can be ignore, not hard/,
    ],
    [
      'a definition',
      mappingOf('product', ['handle'], { 'metafields.custom.none': 'string' }),
      /no metafield definition custom\.none/,
    ],
    [
      'the type of a definition',
      mappingOf('product', ['handle'], { 'metafields.custom.stock': 'string' }),
      /is a number_integer/,
    ],
    [
      'a key that is unique',
      mappingOf('product', ['metafields.custom.stock'], { title: 'string', 'metafields.custom.stock': 'int64' }),
      /not unique/,
    ],
    ['a lookup', mappingOf('variant', ['sku'], { product: 'string' }), /needs a lookup/],
  ])('%s', async (_, mapping, words) => {
    expect(await planned(mapping)).toMatch(words)
  })

  test('too many metafields for one atomic request', async () => {
    const names = Array.from({ length: 26 }, (_, at) => [`metafields.custom.f${String(at).padStart(2, '0')}`, 'string'])
    expect(await planned(mappingOf('product', ['handle'], Object.fromEntries(names)))).toMatch(
      /26 metafields; one change can set 25/,
    )
  })

  test('scopes of the app, and the version that the store serves', async () => {
    const poor = await startShopifySandbox({ scopes: ['read_products'], apiVersion: '2025-10' })
    const other = openStore(poor.url, [CUSTOMERS])
    expect((await other.plan()).join('\n')).toMatch(/write_customers[\s\S]*API version 2025-10, not 2026-07/)
    await other.close()
    await poor.close()
  })
})

test('a preview shows the request without secrets, and asks nothing', () => {
  const { request, headers, body } = store.preview!(PRODUCTS, partialPatch('lamp', 2, { title: 'Light' }))
  expect(request).toBe(`POST ${sandbox.url}/admin/api/2026-07/graphql.json`)
  expect(headers['x-shopify-access-token']).toBe('…')
  expect(JSON.parse(body!).variables).toEqual({ product: { id: '<id of the product>', title: 'Light' } })
  expect(JSON.parse(store.preview!(PRODUCTS, fullPatch('lamp', 2, LAMP)).body!)).toHaveLength(2)
  expect(store.preview!({ ...PRODUCTS, onDelete: 'ignore' }, removal('lamp', 3)).body).toBeNull()
  expect(sandbox.requests).toEqual([])
})
