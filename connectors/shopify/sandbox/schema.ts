import { buildSchema } from 'graphql'

/** What is used of the GraphQL Admin API's schema, 2026-07 (shopify.dev), with its nullability. */
export const SCHEMA = buildSchema(`
directive @idempotent(key: String!) on FIELD
scalar HTML
scalar Money
scalar Decimal

enum ProductStatus
  { ACTIVE ARCHIVED DRAFT UNLISTED }
enum ProductVariantInventoryPolicy
  { CONTINUE DENY }
enum MetafieldOwnerType
  { PRODUCT PRODUCTVARIANT CUSTOMER }

type UserError { field: [String!] message: String! }
type CodedUserError { code: String field: [String!] message: String! }
type PageInfo { hasNextPage: Boolean! endCursor: String }

type Metafield { namespace: String! key: String! value: String! type: String! }
type MetafieldConnection { nodes: [Metafield!]! }
type MetafieldIdentifier { ownerId: String! namespace: String! key: String! }
type MetafieldDefinitionType { name: String! }
type MetafieldCapabilityUniqueValues { enabled: Boolean! }
type MetafieldCapabilities { uniqueValues: MetafieldCapabilityUniqueValues! }
type MetafieldDefinition { id: ID! namespace: String! key: String! type: MetafieldDefinitionType! capabilities: MetafieldCapabilities! }
type MetafieldDefinitionConnection { nodes: [MetafieldDefinition!]! }

type SEO { title: String description: String }
type Product {
  id: ID! handle: String! title: String! descriptionHtml: HTML! vendor: String! productType: String! status: ProductStatus!
  templateSuffix: String tags: [String!]! seo: SEO! hasOnlyDefaultVariant: Boolean!
  variants(first: Int!): ProductVariantConnection!
  metafield(namespace: String, key: String!): Metafield
  metafields(first: Int!, keys: [String!]): MetafieldConnection!
}
type MoneyV2 { amount: Decimal! }
type InventoryQuantity { name: String! quantity: Int! }
type InventoryLevel { quantities(names: [String!]!): [InventoryQuantity!]! }
type InventoryItem {
  id: ID! sku: String tracked: Boolean! requiresShipping: Boolean! harmonizedSystemCode: String countryCodeOfOrigin: String
  unitCost: MoneyV2
  inventoryLevel(locationId: ID!): InventoryLevel
}
type ProductVariant {
  id: ID! sku: String price: Money! compareAtPrice: Money barcode: String taxable: Boolean! inventoryPolicy: ProductVariantInventoryPolicy!
  product: Product! inventoryItem: InventoryItem!
  metafield(namespace: String, key: String!): Metafield
  metafields(first: Int!, keys: [String!]): MetafieldConnection!
}
type ProductVariantConnection { nodes: [ProductVariant!]! }
type CustomerEmailAddress { emailAddress: String! }
type CustomerPhoneNumber { phoneNumber: String! }
type Customer {
  id: ID! firstName: String lastName: String note: String locale: String! taxExempt: Boolean! tags: [String!]!
  defaultEmailAddress: CustomerEmailAddress defaultPhoneNumber: CustomerPhoneNumber
  metafield(namespace: String, key: String!): Metafield
  metafields(first: Int!, keys: [String!]): MetafieldConnection!
}
type Location { id: ID! name: String! }
type LocationConnection { nodes: [Location!]! pageInfo: PageInfo! }
type AccessScope { handle: String! }
type AppInstallation { accessScopes: [AccessScope!]! }

input UniqueMetafieldValueInput { namespace: String key: String! value: String! }
input ProductIdentifierInput @oneOf { id: ID handle: String customId: UniqueMetafieldValueInput }
input ProductVariantIdentifierInput @oneOf { id: ID customId: UniqueMetafieldValueInput }
input CustomerIdentifierInput @oneOf { id: ID emailAddress: String phoneNumber: String customId: UniqueMetafieldValueInput }

type Query {
  product(id: ID!): Product
  productByIdentifier(identifier: ProductIdentifierInput!): Product
  productVariantByIdentifier(identifier: ProductVariantIdentifierInput!): ProductVariant
  productVariants(first: Int!, query: String): ProductVariantConnection!
  customerByIdentifier(identifier: CustomerIdentifierInput!): Customer
  inventoryItem(id: ID!): InventoryItem
  locations(first: Int!, after: String): LocationConnection!
  currentAppInstallation: AppInstallation!
  metafieldDefinitions(first: Int!, ownerType: MetafieldOwnerType!, namespace: String, key: String): MetafieldDefinitionConnection!
}

input SEOInput { title: String description: String }
input MetafieldInput { namespace: String key: String value: String type: String }
input ProductCreateInput {
  handle: String title: String descriptionHtml: String vendor: String productType: String status: ProductStatus templateSuffix: String
  tags: [String!] seo: SEOInput metafields: [MetafieldInput!]
}
input ProductUpdateInput {
  id: ID handle: String title: String descriptionHtml: String vendor: String productType: String status: ProductStatus
  templateSuffix: String tags: [String!] seo: SEOInput metafields: [MetafieldInput!]
}
input ProductDeleteInput { id: ID! }
input ProductVariantSetInput { id: ID sku: String price: Money }
input ProductSetInput {
  id: ID handle: String title: String tags: [String!] metafields: [MetafieldInput!] variants: [ProductVariantSetInput!]
}
input CustomerInput {
  id: ID firstName: String lastName: String email: String phone: String note: String locale: String taxExempt: Boolean tags: [String!]
  metafields: [MetafieldInput!]
}
input CustomerDeleteInput { id: ID! }
input InventoryItemInput {
  sku: String cost: Decimal tracked: Boolean requiresShipping: Boolean harmonizedSystemCode: String countryCodeOfOrigin: String
}
input ProductVariantsBulkInput {
  id: ID price: Money compareAtPrice: Money barcode: String taxable: Boolean inventoryPolicy: ProductVariantInventoryPolicy
  inventoryItem: InventoryItemInput metafields: [MetafieldInput!]
}
input MetafieldsSetInput { ownerId: ID! namespace: String key: String! value: String! type: String compareDigest: String }
input MetafieldIdentifierInput { ownerId: ID! namespace: String! key: String! }
input MetafieldDefinitionInput { name: String! namespace: String key: String! ownerType: MetafieldOwnerType! type: String! }
input InventoryQuantityInput { inventoryItemId: ID! locationId: ID! quantity: Int! changeFromQuantity: Int }
input InventorySetQuantitiesInput { name: String! reason: String! quantities: [InventoryQuantityInput!]! }

type ProductCreatePayload { product: Product userErrors: [UserError!]! }
type ProductUpdatePayload { product: Product userErrors: [UserError!]! }
type ProductDeletePayload { deletedProductId: ID userErrors: [UserError!]! }
type ProductSetPayload { product: Product userErrors: [CodedUserError!]! }
type ProductVariantsBulkUpdatePayload { productVariants: [ProductVariant!] userErrors: [CodedUserError!]! }
type ProductVariantsBulkDeletePayload { product: Product userErrors: [CodedUserError!]! }
type CustomerCreatePayload { customer: Customer userErrors: [UserError!]! }
type CustomerUpdatePayload { customer: Customer userErrors: [UserError!]! }
type CustomerDeletePayload { deletedCustomerId: ID userErrors: [UserError!]! }
type MetafieldsSetPayload { metafields: [Metafield!] userErrors: [CodedUserError!]! }
type MetafieldsDeletePayload { deletedMetafields: [MetafieldIdentifier] userErrors: [UserError!]! }
type MetafieldDefinitionCreatePayload { createdDefinition: MetafieldDefinition userErrors: [CodedUserError!]! }
type InventoryAdjustmentGroup { id: ID! }
type InventorySetQuantitiesPayload { inventoryAdjustmentGroup: InventoryAdjustmentGroup userErrors: [CodedUserError!]! }
type InventoryActivatePayload { inventoryLevel: InventoryLevel userErrors: [UserError!]! }

type Mutation {
  productCreate(product: ProductCreateInput!): ProductCreatePayload
  productUpdate(product: ProductUpdateInput!): ProductUpdatePayload
  productDelete(input: ProductDeleteInput!): ProductDeletePayload
  productSet(input: ProductSetInput!, synchronous: Boolean): ProductSetPayload
  productVariantsBulkUpdate(productId: ID!, variants: [ProductVariantsBulkInput!]!): ProductVariantsBulkUpdatePayload
  productVariantsBulkDelete(productId: ID!, variantsIds: [ID!]!): ProductVariantsBulkDeletePayload
  customerCreate(input: CustomerInput!): CustomerCreatePayload
  customerUpdate(input: CustomerInput!): CustomerUpdatePayload
  customerDelete(input: CustomerDeleteInput!): CustomerDeletePayload
  metafieldsSet(metafields: [MetafieldsSetInput!]!): MetafieldsSetPayload
  metafieldsDelete(metafields: [MetafieldIdentifierInput!]!): MetafieldsDeletePayload
  metafieldDefinitionCreate(definition: MetafieldDefinitionInput!): MetafieldDefinitionCreatePayload
  inventorySetQuantities(input: InventorySetQuantitiesInput!): InventorySetQuantitiesPayload
  inventoryActivate(inventoryItemId: ID!, locationId: ID!, available: Int): InventoryActivatePayload
}
`)
