/** What the sandbox store holds. */
export interface State {
  readonly products: Map<string, Product>
  readonly variants: Map<string, Variant>
  readonly customers: Map<string, Customer>
  readonly locations: readonly { readonly id: string; readonly name: string }[]
  /** `<inventory item> <location>` → available. */
  readonly levels: Map<string, number>
  readonly definitions: Map<string, Definition>
  readonly scopes: Set<string>
  /** Told to refuse what has this key. */
  rejects: (key: string) => boolean
  lastId: number
}

export interface Metafield {
  readonly namespace: string
  readonly key: string
  readonly value: string
  readonly type: string
}

export interface Definition {
  readonly ownerType: string
  readonly namespace: string
  readonly key: string
  readonly type: string
}

interface Owner {
  readonly id: string
  /** `namespace.key` → it. */
  metafields: Map<string, Metafield>
}

export interface Product extends Owner {
  handle: string
  title: string
  descriptionHtml: string
  vendor: string
  productType: string
  status: string
  templateSuffix: string | null
  tags: readonly string[]
  seo: { readonly title: string | null; readonly description: string | null }
}

export interface Variant extends Owner {
  readonly productId: string
  readonly inventoryItemId: string
  price: string
  compareAtPrice: string | null
  barcode: string | null
  taxable: boolean
  inventoryPolicy: string
  item: {
    readonly sku: string | null
    readonly cost: string | null
    readonly tracked: boolean
    readonly requiresShipping: boolean
    readonly harmonizedSystemCode: string | null
    readonly countryCodeOfOrigin: string | null
  }
}

export interface Customer extends Owner {
  firstName: string | null
  lastName: string | null
  email: string | null
  phone: string | null
  note: string | null
  locale: string
  taxExempt: boolean
  tags: readonly string[]
}

/** An error of a mutation, found before it changed anything. */
export class Refusal extends Error {
  readonly field: readonly string[]
  readonly code: string

  constructor(code: string, field: readonly string[], message: string) {
    super(message)
    this.code = code
    this.field = field
  }
}

/** The most objects of a kind: a sandbox is no store. */
const OBJECTS_MAX = 100_000

export function newId(state: State, kind: string): string {
  if (state.products.size + state.customers.size >= OBJECTS_MAX) throw new Error('the sandbox is full')
  state.lastId++
  return `gid://shopify/${kind}/${state.lastId}`
}

/** Carries out a mutation's work; what it refuses becomes its user errors. */
export function answering<T extends object>(
  work: () => T,
): (T & { readonly userErrors: readonly object[] }) | { readonly userErrors: readonly object[] } {
  try {
    return { ...work(), userErrors: [] }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const { code, field, message } = error
    return { userErrors: [{ code, field, message }] }
  }
}
