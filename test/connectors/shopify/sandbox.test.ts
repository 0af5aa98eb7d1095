import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Sandbox } from '../../../connectors/http/sandbox-server.ts'
import { startShopifySandbox } from '../../../connectors/shopify/sandbox.ts'
import { vendorClient } from './vendor-client.ts'

// Each rule with the page of shopify.dev that promises it; asked by Shopify's own client.

const CREATE = `mutation($product: ProductCreateInput!) { productCreate(product: $product) {
  product { id handle variants(first: 1) { nodes { id inventoryItem { id } } } } userErrors { field message } } }`
const SET_STOCK = `mutation($input: InventorySetQuantitiesInput!, $key: String!) { inventorySetQuantities(input: $input) @idempotent(key: $key) {
  inventoryAdjustmentGroup { id } userErrors { code field message } } }`

let sandbox: Sandbox
let ask: ReturnType<typeof vendorClient>

beforeEach(async () => {
  sandbox = await startShopifySandbox({ definitions: { 'PRODUCT custom.size': 'number_integer' } })
  ask = vendorClient(sandbox.url)
})
afterEach(async () => {
  await sandbox.close()
})

async function newProduct(product: Record<string, unknown> = { title: 'Chair' }) {
  const { data } = await ask(CREATE, { product })
  expect(data.productCreate.userErrors).toEqual([])
  const { id, handle, variants } = data.productCreate.product
  return { id, handle, variantId: variants.nodes[0].id, inventoryItemId: variants.nodes[0].inventoryItem.id }
}

describe('a mutation', () => {
  test('that is refused answers 200 with user errors, and changes nothing (UserError)', async () => {
    const { data, errors } = await ask(CREATE, { product: { title: '' } })
    expect(errors).toBeUndefined()
    expect(data.productCreate).toEqual({
      product: null,
      userErrors: [{ field: ['title'], message: "Title can't be blank" }],
    })
    expect(sandbox.objects('product')).toEqual([])
  })

  test('leaves fields alone that are left out, and replaces tags whole (productUpdate)', async () => {
    const { id } = await newProduct({
      title: 'Chair',
      vendor: 'Oak',
      tags: ['a', 'b'],
      seo: { title: 's', description: 'd' },
    })
    await ask('mutation($p: ProductUpdateInput!) { productUpdate(product: $p) { userErrors { message } } }', {
      p: { id, tags: ['c'], seo: { title: 't' } },
    })
    expect(sandbox.objects('product')).toMatchObject([
      { title: 'Chair', vendor: 'Oak', tags: ['c'], seo: { title: 't', description: 'd' } },
    ])
  })

  test('productSet deletes the list entries that are left out (productSet)', async () => {
    const { id, variantId } = await newProduct({
      title: 'Chair',
      metafields: [{ namespace: 'custom', key: 'size', value: '3' }],
    })
    const set = 'mutation($i: ProductSetInput!) { productSet(input: $i) { product { id } userErrors { message } } }'
    await ask(set, { i: { id, variants: [{ id: variantId }, { sku: 'two' }] } })
    expect(sandbox.objects('variant')).toHaveLength(2)
    await ask(set, {
      i: {
        id,
        variants: [{ sku: 'three' }],
        metafields: [{ namespace: 'custom', key: 'other', value: 'x', type: 'json_string' }],
      },
    })
    expect(sandbox.objects('variant')).toMatchObject([{ item: { sku: 'three' } }])
    expect(sandbox.objects('product')).toMatchObject([{ metafields: { 'custom.other': 'x' } }])
    expect((sandbox.objects('product')[0] as { metafields: object }).metafields).not.toHaveProperty('custom.size')
  })

  test('metafieldsSet takes at most 25, all or none of them (metafieldsSet)', async () => {
    const { id: ownerId } = await newProduct()
    const set = 'mutation($m: [MetafieldsSetInput!]!) { metafieldsSet(metafields: $m) { userErrors { code field } } }'
    const many = (count: number) =>
      Array.from({ length: count }, (_, at) => ({
        ownerId,
        namespace: 'custom',
        key: `f${at}`,
        value: 'x',
        type: 'single_line_text_field',
      }))
    expect((await ask(set, { m: many(26) })).data.metafieldsSet.userErrors[0].code).toBe('LESS_THAN_OR_EQUAL_TO')
    const one = { ownerId, namespace: 'custom', key: 'size', value: 'large' }
    expect((await ask(set, { m: [...many(3), one] })).data.metafieldsSet.userErrors).toEqual([
      { code: 'INVALID_VALUE', field: ['metafields', '0', 'value'] },
    ])
    expect((sandbox.objects('product')[0] as { metafields: object }).metafields).toEqual({})
    expect((await ask(set, { m: many(25) })).data.metafieldsSet.userErrors).toEqual([])
  })

  test('a custom id is unique, and finds its object (working with custom ids)', async () => {
    const metafields = [{ namespace: 'custom', key: 'erp_id', value: 'A 1' }]
    const { id } = await newProduct({ title: 'Chair', metafields })
    const again = await ask(CREATE, { product: { title: 'Chair', metafields } })
    expect(again.data.productCreate.userErrors[0].message).toMatch('already been taken')
    const found = await ask('query($i: ProductIdentifierInput!) { productByIdentifier(identifier: $i) { id } }', {
      i: { customId: { namespace: 'custom', key: 'erp_id', value: 'A 1' } },
    })
    expect(found.data.productByIdentifier.id).toBe(id)
  })

  test('a text becomes a handle by being changed; one that is taken is refused (handle)', async () => {
    expect((await newProduct({ title: 'x', handle: 'Ink Jet.Ö' })).handle).toMatch(/^ink-jet-/)
    await newProduct({ title: 'x', handle: 'lamp' })
    const again = await ask(CREATE, { product: { title: 'y', handle: 'lamp' } })
    expect(again.data.productCreate.userErrors[0].field).toEqual(['handle'])
  })
})

describe('inventorySetQuantities', () => {
  const quantity = (inventoryItemId: string, value: number, changeFromQuantity?: number | null) => ({
    name: 'available',
    reason: 'correction',
    quantities: [
      {
        inventoryItemId,
        locationId: 'gid://shopify/Location/1',
        quantity: value,
        ...(changeFromQuantity === undefined ? {} : { changeFromQuantity }),
      },
    ],
  })
  const stock = () => (sandbox.objects('inventory') as { available: number }[]).map(({ available }) => available)

  test('sets only what is still as it was read (changeFromQuantity)', async () => {
    const { inventoryItemId } = await newProduct()
    const stale = await ask(SET_STOCK, { input: quantity(inventoryItemId, 5, 3), key: 'k1' })
    expect(stale.data.inventorySetQuantities.userErrors[0].code).toBe('CHANGE_FROM_QUANTITY_STALE')
    expect(stock()).toEqual([0])
    await ask(SET_STOCK, { input: quantity(inventoryItemId, 5, 0), key: 'k2' })
    expect(stock()).toEqual([5])
    await ask(SET_STOCK, { input: quantity(inventoryItemId, 6, null), key: 'k3' })
    expect(stock()).toEqual([6])
  })

  test('needs the compare value and the directive since 2026-04 (inventorySetQuantities)', async () => {
    const { inventoryItemId } = await newProduct()
    expect((await ask(SET_STOCK, { input: quantity(inventoryItemId, 5), key: 'k' })).errors).toBeDefined()
    const bare = SET_STOCK.replace('@idempotent(key: $key)', '').replace(', $key: String!', '')
    expect((await ask(bare, { input: quantity(inventoryItemId, 5, 0) })).errors).toBeDefined()
    expect(stock()).toEqual([0])
  })

  test('the same key with the same parameters is one change, with others an error (implementing idempotency)', async () => {
    const { inventoryItemId } = await newProduct()
    const first = await ask(SET_STOCK, { input: quantity(inventoryItemId, 5, 0), key: 'k' })
    const second = await ask(SET_STOCK, { input: quantity(inventoryItemId, 5, 0), key: 'k' })
    expect(second.data).toEqual(first.data)
    const other = await ask(SET_STOCK, { input: quantity(inventoryItemId, 6, 5), key: 'k' })
    expect(other.data.inventorySetQuantities.userErrors[0].code).toBe('IDEMPOTENCY_KEY_PARAMETER_MISMATCH')
    expect(stock()).toEqual([5])
  })

  test('a key whose first use failed is of no more use (InventorySetQuantitiesUserErrorCode)', async () => {
    const { inventoryItemId } = await newProduct()
    await ask(SET_STOCK, { input: quantity(inventoryItemId, 5, 1), key: 'k' })
    const again = await ask(SET_STOCK, { input: quantity(inventoryItemId, 5, 1), key: 'k' })
    expect(again.data.inventorySetQuantities.userErrors[0].code).toBe('IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED')
  })
})

describe('requests', () => {
  test('are paid for from a bucket of points, and throttled with status 200 (rate limits)', async () => {
    await sandbox.close()
    sandbox = await startShopifySandbox({ maximumAvailable: 25, restoreRate: 0.001 })
    ask = vendorClient(sandbox.url)
    const { cost } = await ask(CREATE, { product: { title: 'Chair' } })
    expect(cost!.throttleStatus.maximumAvailable).toBe(25)
    expect(cost!.throttleStatus.currentlyAvailable).toBe(25 - cost!.actualQueryCost!)
    const throttled = await ask(CREATE, { product: { title: 'Table' } })
    expect(throttled.errors?.networkStatusCode).toBe(200)
    expect(throttled.errors?.graphQLErrors?.[0]?.extensions?.code).toBe('THROTTLED')
    expect(sandbox.objects('product')).toHaveLength(1)
  })

  test('of more than 1,000 points are refused (rate limits: single query limit)', async () => {
    const { errors } = await ask(
      '{ productVariants(first: 250) { nodes { metafields(first: 25) { nodes { key } } } } }',
    )
    expect(errors?.graphQLErrors?.[0]?.extensions?.code).toBe('MAX_COST_EXCEEDED')
  })

  test('with a wrong token get 401, and other versions are answered by the one that is served (response codes, versioning)', async () => {
    const other = await vendorClient(
      sandbox.url,
      'shpat_wrong',
    )('{ currentAppInstallation { accessScopes { handle } } }')
    expect(other.errors?.networkStatusCode).toBe(401)
    const headers = { 'content-type': 'application/json', 'x-shopify-access-token': 'shpat_sandbox' }
    const body = JSON.stringify({ query: '{ locations(first: 1) { nodes { name } } }' })
    const old = await fetch(`${sandbox.url}/admin/api/2020-01/graphql.json`, { method: 'POST', headers, body })
    expect(old.headers.get('x-shopify-api-version')).toBe('2026-07')
  })

  test('with a variable that does not fit are refused by the schema, with the value in the message (GraphQL)', async () => {
    const { errors } = await ask(CREATE, { product: { title: 'Chair', status: 'SOLD' } })
    expect(errors?.graphQLErrors?.[0]?.extensions?.code).toBe('INVALID_VARIABLE')
    expect(errors?.graphQLErrors?.[0]?.message).toContain('SOLD')
  })

  test('searches compare words, so that look-alikes are found too (search syntax)', async () => {
    for (const sku of ['A-1', 'a 1', 'A-10', 'B']) {
      const { id, variantId } = await newProduct()
      await ask(
        'mutation($p: ID!, $v: [ProductVariantsBulkInput!]!) { productVariantsBulkUpdate(productId: $p, variants: $v) { userErrors { code } } }',
        { p: id, v: [{ id: variantId, inventoryItem: { sku } }] },
      )
    }
    const { data } = await ask('query($q: String!) { productVariants(first: 10, query: $q) { nodes { sku } } }', {
      q: 'sku:"A-1"',
    })
    expect(data.productVariants.nodes).toEqual([{ sku: 'A-1' }, { sku: 'a 1' }])
  })
})
