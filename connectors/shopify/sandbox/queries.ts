import { customerView } from './customers.ts'
import { definitionView } from './metafields.ts'
import { itemView, productView, variantView } from './products.ts'
import { searchedSku, skuMatches } from './search.ts'
import type { Metafield, State } from './state.ts'

interface Identifier {
  readonly id?: string
  readonly handle?: string
  readonly emailAddress?: string
  readonly phoneNumber?: string
  readonly customId?: { readonly namespace: string; readonly key: string; readonly value: string }
}

function hasCustomId(
  { metafields }: { readonly metafields: Map<string, Metafield> },
  { customId }: Identifier,
): boolean {
  return customId !== undefined && metafields.get(`${customId.namespace}.${customId.key}`)?.value === customId.value
}

export function queries(state: State) {
  return {
    product: ({ id }: { id: string }) => (state.products.has(id) ? productView(state, state.products.get(id)!) : null),
    productByIdentifier({ identifier }: { identifier: Identifier }) {
      for (const product of state.products.values())
        if (product.id === identifier.id || product.handle === identifier.handle || hasCustomId(product, identifier))
          return productView(state, product)
      return null
    },
    productVariantByIdentifier({ identifier }: { identifier: Identifier }) {
      for (const variant of state.variants.values())
        if (variant.id === identifier.id || hasCustomId(variant, identifier)) return variantView(state, variant)
      return null
    },
    productVariants({ first, query }: { first: number; query?: string }) {
      const wanted = query === undefined ? null : searchedSku(query)
      const matching = [...state.variants.values()].filter(
        ({ item }) => wanted === null || skuMatches(item.sku ?? '', wanted),
      )
      return { nodes: matching.slice(0, first).map((variant) => variantView(state, variant)) }
    },
    customerByIdentifier({ identifier }: { identifier: Identifier }) {
      const email = identifier.emailAddress?.toLowerCase()
      for (const customer of state.customers.values()) {
        const isIt = customer.id === identifier.id || (email !== undefined && customer.email === email)
        if (
          isIt ||
          (identifier.phoneNumber !== undefined && customer.phone === identifier.phoneNumber) ||
          hasCustomId(customer, identifier)
        )
          return customerView(customer)
      }
      return null
    },
    inventoryItem({ id }: { id: string }) {
      const variant = [...state.variants.values()].find(({ inventoryItemId }) => inventoryItemId === id)
      return variant ? itemView(state, variant) : null
    },
    locations({ first, after }: { first: number; after?: string | null }) {
      const start = after ? Number(after) : 0
      const nodes = state.locations.slice(start, start + first)
      const end = start + nodes.length
      return { nodes, pageInfo: { hasNextPage: end < state.locations.length, endCursor: String(end) } }
    },
    currentAppInstallation: () => ({ accessScopes: [...state.scopes].map((handle) => ({ handle })) }),
    metafieldDefinitions({
      first,
      ownerType,
      namespace,
      key,
    }: {
      first: number
      ownerType: string
      namespace?: string
      key?: string
    }) {
      const matching = [...state.definitions.values()].filter(
        (each) =>
          each.ownerType === ownerType && (!namespace || each.namespace === namespace) && (!key || each.key === key),
      )
      return {
        nodes: matching
          .slice(0, first)
          .map((each, at) => definitionView(`gid://shopify/MetafieldDefinition/${at}`, each)),
      }
    },
  }
}
