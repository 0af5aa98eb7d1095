import type { FieldType } from '../../schemas/field-type.ts'
import type { Json } from './json.ts'

// What of each kind of object can be mapped. Lists that a mutation replaces whole (variants, options, media, collections, addresses) are left
// out on purpose: an entity knows some of their entries at most, and the others would be deleted. `tags` is a whole list, and a value.

export const TARGETS = ['product', 'variant', 'customer', 'inventory'] as const
export type Target = (typeof TARGETS)[number]

export interface FieldForm {
  /** Where it stands in the input of a mutation. */
  readonly input: readonly string[]
  /** Where it stands in the object that is read; as in the input where absent. */
  readonly output?: readonly string[]
  readonly kinds: readonly FieldType['kind'][]
  /** What is sent to clear it; absent where it cannot be cleared. */
  readonly cleared?: Json
}

const TEXT = ['string', 'enum', 'uuid'] as const
const MONEY = ['decimal', 'numeric'] as const

/** Where the vendor's type of a field is not null, clearing means an empty text, which is read back as null. */
const FORMS: Readonly<Record<Target, Readonly<Record<string, FieldForm>>>> = {
  product: {
    handle: { input: ['handle'], kinds: TEXT },
    title: { input: ['title'], kinds: TEXT },
    descriptionHtml: { input: ['descriptionHtml'], kinds: TEXT, cleared: '' },
    vendor: { input: ['vendor'], kinds: TEXT, cleared: '' },
    productType: { input: ['productType'], kinds: TEXT, cleared: '' },
    status: { input: ['status'], kinds: TEXT },
    templateSuffix: { input: ['templateSuffix'], kinds: TEXT, cleared: null },
    tags: { input: ['tags'], kinds: ['array'], cleared: [] },
    'seo.title': { input: ['seo', 'title'], kinds: TEXT, cleared: null },
    'seo.description': { input: ['seo', 'description'], kinds: TEXT, cleared: null },
  },
  customer: {
    firstName: { input: ['firstName'], kinds: TEXT, cleared: null },
    lastName: { input: ['lastName'], kinds: TEXT, cleared: null },
    email: { input: ['email'], output: ['defaultEmailAddress', 'emailAddress'], kinds: TEXT, cleared: null },
    phone: { input: ['phone'], output: ['defaultPhoneNumber', 'phoneNumber'], kinds: TEXT, cleared: null },
    note: { input: ['note'], kinds: TEXT, cleared: null },
    locale: { input: ['locale'], kinds: TEXT },
    taxExempt: { input: ['taxExempt'], kinds: ['boolean'] },
    tags: { input: ['tags'], kinds: ['array'], cleared: [] },
  },
  variant: {
    sku: { input: ['inventoryItem', 'sku'], output: ['sku'], kinds: TEXT },
    price: { input: ['price'], kinds: MONEY },
    compareAtPrice: { input: ['compareAtPrice'], kinds: MONEY, cleared: null },
    barcode: { input: ['barcode'], kinds: TEXT, cleared: null },
    taxable: { input: ['taxable'], kinds: ['boolean'] },
    inventoryPolicy: { input: ['inventoryPolicy'], kinds: TEXT },
    cost: {
      input: ['inventoryItem', 'cost'],
      output: ['inventoryItem', 'unitCost', 'amount'],
      kinds: MONEY,
      cleared: null,
    },
    tracked: { input: ['inventoryItem', 'tracked'], kinds: ['boolean'] },
    requiresShipping: { input: ['inventoryItem', 'requiresShipping'], kinds: ['boolean'] },
    harmonizedSystemCode: { input: ['inventoryItem', 'harmonizedSystemCode'], kinds: TEXT, cleared: null },
    countryCodeOfOrigin: { input: ['inventoryItem', 'countryCodeOfOrigin'], kinds: TEXT, cleared: null },
  },
  inventory: {
    available: { input: ['available'], kinds: ['int32', 'int64'] },
  },
}

/** The field of a variant that refers to its product; it is used to find it, and never sent. */
export const PRODUCT_FIELD = 'product'

export function isTarget(target: string): target is Target {
  return (TARGETS as readonly string[]).includes(target)
}

export function formOf(target: Target, field: string): FieldForm | undefined {
  return Object.hasOwn(FORMS[target], field) ? FORMS[target][field] : undefined
}

export function fieldNames(target: Target): readonly string[] {
  return Object.keys(FORMS[target])
}

export interface MetafieldName {
  readonly namespace: string
  readonly key: string
}

/** `metafields.<namespace>.<key>`; the namespace `$app` and what stands under it is the app's own. */
export function metafieldOf(field: string): MetafieldName | undefined {
  const match = /^metafields\.(\$app(?::[A-Za-z0-9_-]+)?|[A-Za-z0-9_-]{2,255})\.([A-Za-z0-9_-]{2,64})$/.exec(field)
  return match ? { namespace: match[1]!, key: match[2]! } : undefined
}

/** The most metafields of one `metafieldsSet`; the most that may be mapped, so that a patch is one atomic request. */
export const METAFIELDS_MAX = 25

/** How a product is marked that was deleted here and is kept, archived, there. */
export const DELETED_MARK: MetafieldName = { namespace: 'tributary', key: 'deleted' }
