/**
 * One GraphQL document. Fixed texts: values travel as variables alone, so none can ever become part of a document.
 * Source: shopify.dev, GraphQL Admin API reference, 2026-07.
 */
export interface Document {
  /** The field of `data` that answers. */
  readonly root: string
  readonly writes: boolean
  readonly text: string
}

const PRODUCT = `id handle title descriptionHtml vendor productType status templateSuffix tags seo { title description }
  deleted: metafield(namespace: "tributary", key: "deleted") { value }
  metafields(first: $first, keys: $keys) { nodes { namespace key value } }`
const CUSTOMER = `id firstName lastName note locale taxExempt tags
  defaultEmailAddress { emailAddress } defaultPhoneNumber { phoneNumber }
  metafields(first: $first, keys: $keys) { nodes { namespace key value } }`
const VARIANT = `id sku price compareAtPrice barcode taxable inventoryPolicy product { id }
  inventoryItem { id tracked requiresShipping harmonizedSystemCode countryCodeOfOrigin unitCost { amount } }
  metafields(first: $first, keys: $keys) { nodes { namespace key value } }`
const LEVEL = `id inventoryLevel(locationId: $locationId) { quantities(names: ["available"]) { name quantity } }`

export const READ_PRODUCT = read(
  'productByIdentifier',
  `query Product($identifier: ProductIdentifierInput!, $first: Int!, $keys: [String!]) { productByIdentifier(identifier: $identifier) { ${PRODUCT} } }`,
)
export const READ_CUSTOMER = read(
  'customerByIdentifier',
  `query Customer($identifier: CustomerIdentifierInput!, $first: Int!, $keys: [String!]) { customerByIdentifier(identifier: $identifier) { ${CUSTOMER} } }`,
)
export const READ_VARIANT = read(
  'productVariantByIdentifier',
  `query Variant($identifier: ProductVariantIdentifierInput!, $first: Int!, $keys: [String!]) { productVariantByIdentifier(identifier: $identifier) { ${VARIANT} } }`,
)
/** A search matches words, whatever their case: the caller keeps those whose SKU is the one that is meant. */
export const SEARCH_VARIANTS = read(
  'productVariants',
  `query Variants($query: String!, $count: Int!, $first: Int!, $keys: [String!]) { productVariants(first: $count, query: $query) { nodes { ${VARIANT} } } }`,
)
/** The only variant of a product that has no options. */
export const READ_DEFAULT_VARIANT = read(
  'product',
  'query DefaultVariant($id: ID!) { product(id: $id) { id hasOnlyDefaultVariant variants(first: 1) { nodes { id sku } } } }',
)
export const READ_LEVEL = read(
  'inventoryItem',
  `query Level($id: ID!, $locationId: ID!) { inventoryItem(id: $id) { ${LEVEL} } }`,
)
/** The first fifty active locations; the caller keeps the one with the name that is meant. */
export const READ_LOCATIONS = read(
  'locations',
  'query Locations($first: Int!, $after: String) { locations(first: $first, after: $after) { nodes { id name } pageInfo { hasNextPage endCursor } } }',
)
export const READ_SCOPES = read(
  'currentAppInstallation',
  'query Scopes { currentAppInstallation { accessScopes { handle } } }',
)
export const READ_DEFINITIONS = read(
  'metafieldDefinitions',
  `query Definitions($ownerType: MetafieldOwnerType!, $namespace: String!, $key: String!) {
    metafieldDefinitions(first: 1, ownerType: $ownerType, namespace: $namespace, key: $key) {
      nodes { namespace key type { name } capabilities { uniqueValues { enabled } } }
    }
  }`,
)

export const CREATE_PRODUCT = write(
  'productCreate',
  'mutation CreateProduct($product: ProductCreateInput!) { productCreate(product: $product) { product { id } userErrors { field message } } }',
)
export const UPDATE_PRODUCT = write(
  'productUpdate',
  'mutation UpdateProduct($product: ProductUpdateInput!) { productUpdate(product: $product) { product { id } userErrors { field message } } }',
)
export const DELETE_PRODUCT = write(
  'productDelete',
  'mutation DeleteProduct($input: ProductDeleteInput!) { productDelete(input: $input) { deletedProductId userErrors { field message } } }',
)
export const CREATE_CUSTOMER = write(
  'customerCreate',
  'mutation CreateCustomer($input: CustomerInput!) { customerCreate(input: $input) { customer { id } userErrors { field message } } }',
)
export const UPDATE_CUSTOMER = write(
  'customerUpdate',
  'mutation UpdateCustomer($input: CustomerInput!) { customerUpdate(input: $input) { customer { id } userErrors { field message } } }',
)
export const DELETE_CUSTOMER = write(
  'customerDelete',
  'mutation DeleteCustomer($input: CustomerDeleteInput!) { customerDelete(input: $input) { deletedCustomerId userErrors { field message } } }',
)
export const UPDATE_VARIANTS = write(
  'productVariantsBulkUpdate',
  `mutation UpdateVariants($productId: ID!, $variants: [ProductVariantsBulkInput!]!) {
    productVariantsBulkUpdate(productId: $productId, variants: $variants) { productVariants { id } userErrors { code field message } }
  }`,
)
export const DELETE_VARIANTS = write(
  'productVariantsBulkDelete',
  `mutation DeleteVariants($productId: ID!, $variantsIds: [ID!]!) {
    productVariantsBulkDelete(productId: $productId, variantsIds: $variantsIds) { product { id } userErrors { code field message } }
  }`,
)
/** Atomic, at most 25; sets those that are named and leaves the others alone. */
export const SET_METAFIELDS = write(
  'metafieldsSet',
  'mutation SetMetafields($metafields: [MetafieldsSetInput!]!) { metafieldsSet(metafields: $metafields) { metafields { key } userErrors { code field message } } }',
)
/** A metafield has no empty value: clearing deletes it. One that is not there is none to worry about. */
export const DELETE_METAFIELDS = write(
  'metafieldsDelete',
  'mutation DeleteMetafields($metafields: [MetafieldIdentifierInput!]!) { metafieldsDelete(metafields: $metafields) { deletedMetafields { key } userErrors { field message } } }',
)
/** Since 2026-04 both the compare value of every quantity and the directive are mandatory. */
export const SET_QUANTITIES = write(
  'inventorySetQuantities',
  `mutation SetQuantities($input: InventorySetQuantitiesInput!, $idempotencyKey: String!) {
    inventorySetQuantities(input: $input) @idempotent(key: $idempotencyKey) { inventoryAdjustmentGroup { id } userErrors { code field message } }
  }`,
)

function read(root: string, text: string): Document {
  return { root, writes: false, text: oneLine(text) }
}

function write(root: string, text: string): Document {
  return { root, writes: true, text: oneLine(text) }
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ')
}
