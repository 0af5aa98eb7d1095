import { type MetafieldIn, metafieldViews, withMetafields } from './metafields.ts'
import { answering, newId, type Product, Refusal, type State, type Variant } from './state.ts'

interface ProductIn {
  readonly id?: string
  readonly handle?: string
  readonly title?: string | null
  readonly descriptionHtml?: string | null
  readonly vendor?: string | null
  readonly productType?: string | null
  readonly status?: string
  readonly templateSuffix?: string | null
  readonly tags?: readonly string[] | null
  readonly seo?: { readonly title?: string | null; readonly description?: string | null }
  readonly metafields?: readonly MetafieldIn[]
}

interface VariantIn {
  readonly id?: string
  readonly price?: string
  readonly compareAtPrice?: string | null
  readonly barcode?: string | null
  readonly taxable?: boolean
  readonly inventoryPolicy?: string
  readonly inventoryItem?: Partial<Variant['item']>
  readonly metafields?: readonly MetafieldIn[]
}

export function productView(state: State, product: Product): object {
  const variants = () => [...state.variants.values()].filter(({ productId }) => productId === product.id)
  return {
    ...product,
    ...metafieldViews(product),
    hasOnlyDefaultVariant: () => variants().length === 1,
    variants: ({ first }: { first: number }) => ({
      nodes: variants()
        .slice(0, first)
        .map((each) => variantView(state, each)),
    }),
  }
}

export function variantView(state: State, variant: Variant): object {
  return {
    ...variant,
    ...metafieldViews(variant),
    sku: variant.item.sku,
    product: () => productView(state, state.products.get(variant.productId)!),
    inventoryItem: () => itemView(state, variant),
  }
}

export function itemView(state: State, { inventoryItemId, item }: Variant): object {
  return {
    ...item,
    id: inventoryItemId,
    unitCost: item.cost === null ? null : { amount: item.cost },
    inventoryLevel({ locationId }: { locationId: string }) {
      const available = state.levels.get(`${inventoryItemId} ${locationId}`)
      if (available === undefined) return null
      return {
        quantities: ({ names }: { names: readonly string[] }) => names.map((name) => ({ name, quantity: available })),
      }
    },
  }
}

/** As Shopify makes a handle of any text: small letters, digits, hyphens. */
function handleOf(text: string): string {
  return text
    .toLowerCase()
    .normalize('NFKD')
    .replace(/[^\p{L}\p{N}_]+/gu, '-')
    .replace(/^-+|-+$/g, '')
}

function freeHandle(state: State, title: string): string {
  const wanted = handleOf(title)
  const taken = new Set([...state.products.values()].map(({ handle }) => handle))
  for (let n = 0; ; n++) {
    const handle = n === 0 ? wanted : `${wanted}-${n}`
    if (!taken.has(handle)) return handle
  }
}

/** A product with the changes of an input: fields that are left out stay, lists are replaced whole. */
function changed(state: State, product: Product, input: ProductIn): Product {
  if (input.title === null || input.title === '') throw new Refusal('', ['title'], "Title can't be blank")
  const handle = input.handle === undefined ? product.handle : handleOf(input.handle)
  for (const other of state.products.values())
    if (other.id !== product.id && other.handle === handle)
      throw new Refusal('', ['handle'], `Handle '${handle}' already in use. Please provide a new handle.`)
  if (state.rejects(handle)) throw new Refusal('', ['title'], `Title '${input.title}' is refused`)
  const metafields = withMetafields(state, product, 'PRODUCT', input.metafields ?? [], ['metafields'])
  return {
    ...product,
    handle,
    metafields,
    title: input.title ?? product.title,
    descriptionHtml: input.descriptionHtml === undefined ? product.descriptionHtml : (input.descriptionHtml ?? ''),
    vendor: input.vendor === undefined ? product.vendor : (input.vendor ?? ''),
    productType: input.productType === undefined ? product.productType : (input.productType ?? ''),
    status: input.status ?? product.status,
    templateSuffix: input.templateSuffix === undefined ? product.templateSuffix : input.templateSuffix,
    tags: input.tags === undefined ? product.tags : [...new Set(input.tags ?? [])].sort(),
    seo: { ...product.seo, ...input.seo },
  }
}

function changedVariant(state: State, variant: Variant, input: VariantIn, index: number): Variant {
  const at = ['variants', String(index)]
  if (input.price !== undefined && Number(input.price) < 0)
    throw new Refusal('NEGATIVE_PRICE_VALUE', [...at, 'price'], `Price '${input.price}' cannot take a negative value`)
  const sku = input.inventoryItem?.sku ?? variant.item.sku
  if (sku !== null && state.rejects(sku)) throw new Refusal('INVALID', [...at, 'price'], `SKU '${sku}' is refused`)
  return {
    ...variant,
    price: input.price === undefined ? variant.price : money(input.price)!,
    compareAtPrice: input.compareAtPrice === undefined ? variant.compareAtPrice : money(input.compareAtPrice),
    barcode: input.barcode === undefined ? variant.barcode : input.barcode,
    taxable: input.taxable ?? variant.taxable,
    inventoryPolicy: input.inventoryPolicy ?? variant.inventoryPolicy,
    item: { ...variant.item, ...input.inventoryItem },
    metafields: withMetafields(state, variant, 'PRODUCTVARIANT', input.metafields ?? [], [...at, 'metafields']),
  }
}

/** With the two digits of most currencies. */
function money(text: string | null): string | null {
  if (text === null) return null
  const [whole, fraction = ''] = text.split('.')
  return `${whole}.${fraction.padEnd(2, '0').slice(0, 2)}`
}

function addVariant(state: State, productId: string, sku: string | null, price = '0.00'): void {
  const inventoryItemId = newId(state, 'InventoryItem')
  const item = {
    sku,
    cost: null,
    tracked: true,
    requiresShipping: true,
    harmonizedSystemCode: null,
    countryCodeOfOrigin: null,
  }
  const id = newId(state, 'ProductVariant')
  const rest = { compareAtPrice: null, barcode: null, taxable: true, inventoryPolicy: 'DENY', metafields: new Map() }
  state.variants.set(id, { ...rest, id, productId, inventoryItemId, price, item })
  state.levels.set(`${inventoryItemId} ${state.locations[0]!.id}`, 0)
}

function removeVariant(state: State, variant: Variant): void {
  state.variants.delete(variant.id)
  for (const { id } of state.locations) state.levels.delete(`${variant.inventoryItemId} ${id}`)
}

function blank(state: State, title: string): Product {
  const fields = { descriptionHtml: '', vendor: '', productType: '', status: 'ACTIVE', templateSuffix: null, tags: [] }
  const seo = { title: null, description: null }
  return { ...fields, seo, metafields: new Map(), id: newId(state, 'Product'), handle: freeHandle(state, title), title }
}

export function productMutations(state: State) {
  const productOf = (id: string | undefined) => {
    const product = state.products.get(id ?? '')
    if (!product) throw new Refusal('PRODUCT_DOES_NOT_EXIST', ['id'], 'Product does not exist')
    return product
  }
  const keep = (product: Product) => {
    state.products.set(product.id, product)
    return { product: productView(state, product) }
  }
  return {
    productCreate: ({ product: input }: { product: ProductIn }) =>
      answering(() => {
        if (!input.title) throw new Refusal('', ['title'], "Title can't be blank")
        const product = changed(state, blank(state, input.title), input)
        state.products.set(product.id, product)
        addVariant(state, product.id, null)
        return keep(product)
      }),
    productUpdate: ({ product: input }: { product: ProductIn }) =>
      answering(() => keep(changed(state, productOf(input.id), input))),
    productDelete: ({ input }: { input: { id: string } }) =>
      answering(() => {
        const product = productOf(input.id)
        state.products.delete(product.id)
        for (const variant of [...state.variants.values()])
          if (variant.productId === product.id) removeVariant(state, variant)
        return { deletedProductId: product.id }
      }),
    /** shopify.dev, productSet: list entries that are left out of a list that is given are deleted. */
    productSet: ({
      input,
    }: {
      input: ProductIn & { variants?: readonly { id?: string; sku?: string; price?: string }[] }
    }) =>
      answering(() => {
        const before = productOf(input.id)
        const product = changed(state, input.metafields ? { ...before, metafields: new Map() } : before, input)
        if (input.variants) {
          const named = new Set(input.variants.map(({ id }) => id))
          for (const variant of [...state.variants.values()])
            if (variant.productId === product.id && !named.has(variant.id)) removeVariant(state, variant)
          for (const { id, sku, price } of input.variants)
            if (id === undefined) addVariant(state, product.id, sku ?? null, price)
        }
        return keep(product)
      }),
    productVariantsBulkUpdate: ({ productId, variants }: { productId: string; variants: readonly VariantIn[] }) =>
      answering(() => {
        if (!state.products.has(productId))
          throw new Refusal('PRODUCT_DOES_NOT_EXIST', ['productId'], 'Product does not exist')
        const after = variants.map((input, index) => {
          const variant = state.variants.get(input.id ?? '')
          if (variant?.productId !== productId)
            throw new Refusal(
              'PRODUCT_VARIANT_DOES_NOT_EXIST',
              ['variants', String(index), 'id'],
              'Product variant does not exist',
            )
          return changedVariant(state, variant, input, index)
        })
        for (const variant of after) state.variants.set(variant.id, variant)
        return { productVariants: after.map((each) => variantView(state, each)) }
      }),
    productVariantsBulkDelete: ({ productId, variantsIds }: { productId: string; variantsIds: readonly string[] }) =>
      answering(() => {
        if (!state.products.has(productId))
          throw new Refusal('PRODUCT_DOES_NOT_EXIST', ['productId'], 'Product does not exist')
        const doomed = variantsIds.map((id) => state.variants.get(id))
        if (doomed.some((variant) => variant?.productId !== productId))
          throw new Refusal(
            'AT_LEAST_ONE_VARIANT_DOES_NOT_BELONG_TO_THE_PRODUCT',
            ['variantsIds'],
            'The variant does not exist.',
          )
        const left = [...state.variants.values()].filter((each) => each.productId === productId).length - doomed.length
        if (left < 1) throw new Refusal('CANNOT_DELETE_LAST_VARIANT', ['variantsIds'], 'Cannot delete default variant.')
        for (const variant of doomed) removeVariant(state, variant!)
        return { product: productView(state, state.products.get(productId)!) }
      }),
  }
}
