import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Destination } from '../../../connectors/destination.ts'
import type { Sandbox } from '../../../connectors/http/sandbox-server.ts'
import { skuQuery } from '../../../connectors/shopify/find.ts'
import { idempotencyKey } from '../../../connectors/shopify/idempotency-key.ts'
import { startShopifySandbox } from '../../../connectors/shopify/sandbox.ts'
import { fullPatch, partialPatch, removal, versionAt } from '../../contract/destination-contract.ts'
import { applyOne, mappingOf, openStore, operations } from './store.ts'
import { vendorClient } from './vendor-client.ts'

const PRODUCTS = mappingOf('product', ['handle'], { title: 'string' })
const VARIANTS = mappingOf(
  'variant',
  ['sku'],
  {
    product: 'string',
    price: 'decimal(12,2)',
    compareAtPrice: 'decimal(12,2)',
    cost: 'decimal(12,2)',
    barcode: 'string',
    tracked: 'boolean',
  },
  { lookups: { product: { target: 'product', keyField: 'handle' } } },
)
const STOCK = mappingOf('inventory', ['sku', 'location'], { available: 'int64' }, { onDelete: 'ignore' })
const KEY = JSON.stringify(['L-1', 'Main'])

let sandbox: Sandbox
let store: Destination
let ask: ReturnType<typeof vendorClient>

beforeEach(async () => {
  sandbox = await startShopifySandbox({ locations: ['Main', 'Attic'] })
  store = openStore(sandbox.url, [PRODUCTS, VARIANTS, STOCK])
  ask = vendorClient(sandbox.url)
})
afterEach(async () => {
  await store.close()
  await sandbox.close()
})

async function makeLamp(sku = 'L-1', handle = 'lamp') {
  await applyOne(store, PRODUCTS, fullPatch(handle, 1, { title: 'Lamp' }))
  return await applyOne(store, VARIANTS, fullPatch(sku, 1, { product: handle, price: '12.50', compareAtPrice: null }))
}
const stockOf = (location = 'Main') =>
  (sandbox.objects('inventory') as { location: string; available: number }[]).find(
    (level) => level.location === location,
  )?.available
const setStock = (at: number, available: bigint, key = KEY) => applyOne(store, STOCK, fullPatch(key, at, { available }))
/** Someone buys, or counts: stock that changes without us. */
async function change(to: number, key: string) {
  const { inventoryItemId } = (sandbox.objects('inventory') as { inventoryItemId: string }[])[0]!
  const quantities = [
    { inventoryItemId, locationId: 'gid://shopify/Location/1', quantity: to, changeFromQuantity: null },
  ]
  await ask(
    'mutation($i: InventorySetQuantitiesInput!, $k: String!) { inventorySetQuantities(input: $i) @idempotent(key: $k) { userErrors { code } } }',
    { i: { name: 'available', reason: 'other', quantities }, k: key },
  )
}
const written = () =>
  sandbox.requests
    .filter(({ body }) => body.includes('mutation SetQuantities'))
    .map(
      ({ body }) =>
        JSON.parse(body).variables as {
          idempotencyKey: string
          input: { quantities: { changeFromQuantity: number }[] }
        },
    )

describe('a variant', () => {
  test('is the one of a product without options: it gets its SKU, and its values come back exactly', async () => {
    expect((await makeLamp()).kind).toBe('applied')
    const values = { price: '1234567.89', compareAtPrice: null, cost: '0.10', barcode: '123', tracked: true }
    expect((await applyOne(store, VARIANTS, partialPatch('L-1', 2, values))).kind).toBe('applied')
    expect(await store.read!(VARIANTS, 'L-1', new AbortController().signal)).toEqual(values)
  })

  test('is waited for when its product is not there, or has no place for it', async () => {
    const missing = await applyOne(store, VARIANTS, fullPatch('L-1', 1, { product: 'lamp', price: '1.00' }))
    expect(missing).toMatchObject({ kind: 'blocked', by: 'product', code: 'object-missing' })
    await makeLamp()
    const second = await applyOne(store, VARIANTS, fullPatch('L-2', 1, { product: 'lamp', price: '1.00' }))
    expect(second).toMatchObject({ kind: 'blocked', by: 'product' })
    expect((await applyOne(store, VARIANTS, partialPatch('L-2', 1, { price: '1.00' }))).kind).toBe('absent')
  })

  test('is found by exactly its SKU, whatever stands in it', async () => {
    const skus = ['A-1', 'a-1', 'A-10', 'A 1', 'q"u\\o\'te:(x)']
    for (const [at, sku] of skus.entries()) expect((await makeLamp(sku, `p${at}`)).kind).toBe('applied')
    const fresh = openStore(sandbox.url, [VARIANTS])
    for (const [at, sku] of skus.entries())
      expect((await applyOne(fresh, VARIANTS, partialPatch(sku, 2, { price: `${at}.00` }))).kind).toBe('applied')
    await fresh.close()
    const held = (sandbox.objects('variant') as { item: { sku: string }; price: string }[]).map(({ item, price }) => [
      item.sku,
      price,
    ])
    expect(Object.fromEntries(held)).toEqual(Object.fromEntries(skus.map((sku, at) => [sku, `${at}.00`])))
    expect(skuQuery('a"\\')).toBe('sku:"a\\"\\\\"')
  })

  test('whose SKU two variants have is a matter for a person', async () => {
    await makeLamp('X', 'p1')
    await makeLamp('Y', 'p2')
    const [, second] = sandbox.objects('variant') as { id: string; productId: string }[]
    const rename =
      'mutation($p: ID!, $v: [ProductVariantsBulkInput!]!) { productVariantsBulkUpdate(productId: $p, variants: $v) { userErrors { code } } }'
    await ask(rename, { p: second!.productId, v: [{ id: second!.id, inventoryItem: { sku: 'X' } }] })
    const fresh = openStore(sandbox.url, [VARIANTS])
    expect(await applyOne(fresh, VARIANTS, partialPatch('X', 2, { price: '1.00' }))).toMatchObject({
      kind: 'rejected',
      code: 'key-ambiguous',
    })
    await fresh.close()
  })

  test('that is the last one of its product cannot go, one of several can', async () => {
    await makeLamp()
    expect(await applyOne(store, VARIANTS, removal('L-1', 2))).toMatchObject({
      kind: 'rejected',
      code: 'CANNOT_DELETE_LAST_VARIANT',
    })
  })
})

describe('stock', () => {
  test('is set by compare-and-set under a key; what is so already is not sent', async () => {
    await makeLamp()
    expect((await setStock(1, 7n)).kind).toBe('applied')
    expect(stockOf()).toBe(7)
    expect(written()[0]!.input.quantities).toMatchObject([{ changeFromQuantity: 0 }])
    sandbox.forgetRequests()
    expect((await setStock(2, 7n)).kind).toBe('unchanged')
    expect((await setStock(3, 8n)).kind).toBe('applied')
    expect(operations(sandbox.requests)).toEqual(['Level', 'Level', 'SetQuantities'])
    expect(await store.read!(STOCK, KEY, new AbortController().signal)).toEqual({ available: 8n })
  })

  test('that changed between reading and setting is a conflict, and nothing is overwritten', async () => {
    await makeLamp()
    await setStock(1, 7n)
    // Both read 7; the one that is slower has to lose.
    const [first, second] = await Promise.all([setStock(2, 6n), setStock(3, 5n)])
    expect([first.kind, second.kind].sort()).toEqual(['applied', 'conflict'])
    // Tried again: the key of the lost request is not in the way.
    const [at, available] = first.kind === 'conflict' ? ([2, 6n] as const) : ([3, 5n] as const)
    expect((await setStock(at, available)).kind).toBe('applied')
    expect(stockOf()).toBe(Number(available))
  })

  test('that is repeated in full is set again, although nothing of the request has changed', async () => {
    await makeLamp()
    await setStock(8, 5n)
    await setStock(10, 3n)
    // A request that a frozen former owner sent lands late, and is put right by the same patch once more.
    await setStock(9, 5n)
    expect(stockOf()).toBe(5)
    expect((await setStock(10, 3n)).kind).toBe('applied')
    expect(stockOf()).toBe(3)
  })

  test('of a partial patch whose answer was lost is one change: the retry uses the same key', async () => {
    await makeLamp()
    await setStock(1, 7n)
    await sandbox.misbehave({ reset: 'before' })
    // The query is lost as well: nothing was sent.
    expect((await setStock(2, 9n)).kind).toBe('unavailable')
    await sandbox.misbehave({})
    sandbox.forgetRequests()
    const slow = openStore(sandbox.url, [STOCK])
    await applyOne(slow, STOCK, partialPatch(KEY, 2, { available: 9n }))
    await change(7, 'undone by hand')
    // The same change from the same quantity is not carried out a second time.
    expect((await applyOne(slow, STOCK, partialPatch(KEY, 2, { available: 9n }))).kind).toBe('applied')
    await slow.close()
    const keys = written().map(({ idempotencyKey: key }) => key)
    expect(keys).toHaveLength(2)
    expect(new Set(keys).size).toBe(1)
    expect(stockOf()).toBe(7)
  })

  test('whose first use of a key failed goes on with the next one', async () => {
    await makeLamp()
    await setStock(1, 5n)
    const stale = {
      subscriber: 'shop',
      entity: 'inventorys',
      key: KEY,
      version: versionAt(2),
      quantity: 9,
      changeFromQuantity: 5,
    }
    const { inventoryItemId, locationId } = (
      sandbox.objects('inventory') as { inventoryItemId: string; locationId: string }[]
    )[0]!
    const key = idempotencyKey({ ...stale, inventoryItemId, locationId, attempt: 0, nonce: null })
    await change(4, 'sold one')
    const quantities = [{ inventoryItemId, locationId, quantity: 9, changeFromQuantity: 5 }]
    await ask(
      'mutation($i: InventorySetQuantitiesInput!, $k: String!) { inventorySetQuantities(input: $i) @idempotent(key: $k) { userErrors { code } } }',
      { i: { name: 'available', reason: 'correction', quantities }, k: key },
    )
    await change(5, 'brought back')
    expect((await applyOne(store, STOCK, partialPatch(KEY, 2, { available: 9n }))).kind).toBe('applied')
    expect(stockOf()).toBe(9)
  })

  test('is waited for where the variant, the location or its place there is missing', async () => {
    expect(await setStock(1, 7n)).toMatchObject({ kind: 'blocked', by: 'variant', code: 'object-missing' })
    expect((await applyOne(store, STOCK, partialPatch(KEY, 1, { available: 7n }))).kind).toBe('absent')
    await makeLamp()
    expect(await setStock(1, 7n, JSON.stringify(['L-1', 'Cellar']))).toMatchObject({
      kind: 'blocked',
      code: 'location-missing',
    })
    expect(await setStock(1, 7n, JSON.stringify(['L-1', 'Attic']))).toMatchObject({
      kind: 'blocked',
      code: 'ITEM_NOT_STOCKED_AT_LOCATION',
    })
    expect((await setStock(1, 7n, JSON.stringify(['L-1', 'gid://shopify/Location/1']))).kind).toBe('applied')
  })

  test('beyond what the store can have is rejected, by us or by it', async () => {
    await makeLamp()
    expect(await setStock(1, 2n ** 40n)).toMatchObject({ kind: 'rejected', code: 'value-out-of-range' })
    expect(await setStock(1, 1_000_000_001n)).toMatchObject({ kind: 'rejected', code: 'INVALID_QUANTITY_TOO_HIGH' })
    await sandbox.misbehave({ rejectKeys: ['L-1'] })
    expect(await setStock(1, 3n)).toMatchObject({ kind: 'rejected', code: 'NON_MUTABLE_INVENTORY_ITEM' })
  })

  test('of a deleted record stays: there is nothing to delete', async () => {
    await makeLamp()
    sandbox.forgetRequests()
    expect((await applyOne(store, STOCK, removal(KEY, 2))).kind).toBe('unchanged')
    expect(sandbox.requests).toEqual([])
  })

  test('with a SKU alone as key needs a store with one location', async () => {
    const single = mappingOf('inventory', ['sku'], { available: 'int64' }, { onDelete: 'ignore' })
    const other = openStore(sandbox.url, [single])
    expect((await other.plan()).join()).toMatch('2 active locations')
    await makeLamp()
    expect(await applyOne(other, single, fullPatch('L-1', 1, { available: 1n }))).toMatchObject({ kind: 'unavailable' })
    await other.close()
  })

  test('can be previewed: the compare value is read when it is sent', () => {
    const { variables } = JSON.parse(store.preview!(STOCK, fullPatch(KEY, 1, { available: 7n })).body!)
    expect(variables.input.quantities[0]).toMatchObject({
      quantity: 7,
      changeFromQuantity: '<what is available when it is sent>',
    })
  })
})

describe('an idempotency key', () => {
  const change = {
    subscriber: 's',
    entity: 'e',
    key: 'k',
    version: versionAt(1),
    quantity: 5,
    changeFromQuantity: 4,
    inventoryItemId: 'i',
    locationId: 'l',
    attempt: 0,
    nonce: null,
  }
  test('is a UUID, the same for the same change, and another for any other', () => {
    const key = idempotencyKey(change)
    expect(key).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(idempotencyKey({ ...change })).toBe(key)
    const others = [
      { subscriber: 't' },
      { entity: 'f' },
      { key: 'l' },
      { version: versionAt(2) },
      { quantity: 6 },
      { changeFromQuantity: 3 },
      { inventoryItemId: 'j' },
      { locationId: 'm' },
      { attempt: 1 },
      { nonce: 'n' },
    ].map((other) => idempotencyKey({ ...change, ...other }))
    expect(new Set([key, ...others]).size).toBe(11)
  })
})
