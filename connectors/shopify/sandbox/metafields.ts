import { answering, type Definition, type Metafield, newId, Refusal, type State } from './state.ts'

export interface MetafieldIn {
  readonly namespace?: string | null
  readonly key?: string | null
  readonly value?: string | null
  readonly type?: string | null
}

/** shopify.dev, metafieldsSet: «Allows a maximum of 25 metafields to be set at a time». */
const METAFIELDS_MAX = 25

/**
 * The metafields of an owner after some are set; others stay. Checks each against its definition.
 * @param path where the list stands in the input
 */
export function withMetafields(
  state: State,
  owner: { readonly id: string; readonly metafields: Map<string, Metafield> },
  ownerType: string,
  inputs: readonly MetafieldIn[],
  path: readonly string[],
): Map<string, Metafield> {
  const after = new Map(owner.metafields)
  for (const [index, { namespace, key, value, type }] of inputs.entries()) {
    const at = [...path, String(index)]
    if (!namespace || !key) throw new Refusal('BLANK', [...at, 'key'], "Key can't be blank")
    if (value === null || value === undefined || value === '')
      throw new Refusal('BLANK', [...at, 'value'], "Value can't be blank")
    const definition = state.definitions.get(`${ownerType} ${namespace}.${key}`)
    const kept = definition?.type ?? owner.metafields.get(`${namespace}.${key}`)?.type ?? type
    if (!kept) throw new Refusal('INVALID_TYPE', [...at, 'type'], "Type can't be blank")
    if (type && type !== kept)
      throw new Refusal('INVALID_TYPE', [...at, 'type'], `Type '${type}' must be consistent with the definition`)
    if (!isValue(kept, value)) throw new Refusal('INVALID_VALUE', [...at, 'value'], `Value '${value}' is no ${kept}`)
    if (state.rejects(value)) throw new Refusal('INVALID_VALUE', [...at, 'value'], `Value '${value}' is refused`)
    const isUnique = definition?.type === 'id'
    if (
      isUnique &&
      ownersOf(state, ownerType).some(
        (other) => other.id !== owner.id && other.metafields.get(`${namespace}.${key}`)?.value === value,
      )
    )
      throw new Refusal('TAKEN', [...at, 'value'], `Value '${value}' has already been taken`)
    after.set(`${namespace}.${key}`, { namespace, key, value, type: kept })
  }
  return after
}

function ownersOf(
  state: State,
  ownerType: string,
): readonly { readonly id: string; readonly metafields: Map<string, Metafield> }[] {
  if (ownerType === 'PRODUCT') return [...state.products.values()]
  return ownerType === 'CUSTOMER' ? [...state.customers.values()] : [...state.variants.values()]
}

export function ownerOf(state: State, id: string) {
  const product = state.products.get(id)
  if (product) return { owner: product, ownerType: 'PRODUCT' }
  const customer = state.customers.get(id)
  if (customer) return { owner: customer, ownerType: 'CUSTOMER' }
  const variant = state.variants.get(id)
  return variant ? { owner: variant, ownerType: 'PRODUCTVARIANT' } : undefined
}

/** shopify.dev, "List of data types" for metafields. */
function isValue(type: string, value: string): boolean {
  if (type.startsWith('list.')) return isList(type.slice(5), value)
  switch (type) {
    case 'boolean':
      return value === 'true' || value === 'false'
    case 'number_integer':
      // ±9,007,199,254,740,991
      return /^-?\d{1,16}$/.test(value) && Number.isSafeInteger(Number(value))
    case 'number_decimal':
      return /^-?\d{1,13}(\.\d{1,9})?$/.test(value)
    case 'date':
      return /^\d{4}-\d\d-\d\d$/.test(value)
    case 'date_time':
      return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?$/.test(value)
    case 'json':
      return isJson(value)
    case 'single_line_text_field':
      return !value.includes('\n')
    default:
      return true
  }
}

function isList(type: string, value: string): boolean {
  if (!isJson(value)) return false
  const items: unknown = JSON.parse(value)
  return Array.isArray(items) && items.length <= 128 && items.every((item) => isValue(type, String(item)))
}

function isJson(value: string): boolean {
  try {
    JSON.parse(value)
    return true
  } catch {
    // That it cannot be read is the answer.
    return false
  }
}

export function metafieldMutations(state: State) {
  return {
    metafieldsSet: ({ metafields }: { metafields: readonly (MetafieldIn & { ownerId: string })[] }) =>
      answering(() => {
        if (metafields.length > METAFIELDS_MAX)
          throw new Refusal(
            'LESS_THAN_OR_EQUAL_TO',
            ['metafields'],
            `Exceeded the maximum metafields input limit of ${METAFIELDS_MAX}`,
          )
        // «This operation is atomic»: nothing is kept before everything was looked at.
        const after = new Map<string, Map<string, Metafield>>()
        for (const [index, input] of metafields.entries()) {
          const found = ownerOf(state, input.ownerId)
          if (!found) throw new Refusal('INVALID', ['metafields', String(index), 'ownerId'], 'Owner does not exist.')
          const before = after.get(input.ownerId) ?? found.owner.metafields
          const owner = { id: input.ownerId, metafields: before }
          after.set(input.ownerId, withMetafields(state, owner, found.ownerType, [input], ['metafields']))
        }
        for (const [id, all] of after) ownerOf(state, id)!.owner.metafields = all
        return {
          metafields: metafields.map(({ ownerId, namespace, key }) => after.get(ownerId)!.get(`${namespace}.${key}`)!),
        }
      }),
    metafieldsDelete: ({
      metafields,
    }: {
      metafields: readonly { ownerId: string; namespace: string; key: string }[]
    }) =>
      answering(() => {
        for (const [index, { ownerId }] of metafields.entries())
          if (!ownerOf(state, ownerId))
            throw new Refusal('', ['metafields', String(index), 'ownerId'], 'Owner does not exist.')
        // «If a specified metafield doesn't exist, then the mutation still succeeds but returns null for that identifier».
        const deletedMetafields = metafields.map((identifier) => {
          const { ownerId, namespace, key } = identifier
          return ownerOf(state, ownerId)!.owner.metafields.delete(`${namespace}.${key}`) ? identifier : null
        })
        return { deletedMetafields }
      }),
    metafieldDefinitionCreate: ({ definition }: { definition: Definition & { name: string } }) =>
      answering(() => {
        const { ownerType, namespace, key, type } = definition
        const name = `${ownerType} ${namespace}.${key}`
        if (state.definitions.has(name))
          throw new Refusal('TAKEN', ['definition', 'key'], 'Key is in use for this owner type')
        state.definitions.set(name, { ownerType, namespace, key, type })
        return { createdDefinition: definitionView(newId(state, 'MetafieldDefinition'), state.definitions.get(name)!) }
      }),
  }
}

export function definitionView(id: string, { namespace, key, type }: Definition) {
  return { id, namespace, key, type: { name: type }, capabilities: { uniqueValues: { enabled: type === 'id' } } }
}

/** The resolvers that every owner of metafields has. */
export function metafieldViews({ metafields }: { readonly metafields: Map<string, Metafield> }) {
  return {
    metafield: ({ namespace, key }: { namespace: string; key: string }) =>
      metafields.get(`${namespace}.${key}`) ?? null,
    metafields: ({ first, keys }: { first: number; keys?: readonly string[] | null }) => ({
      nodes: [...metafields]
        .filter(([name]) => !keys || keys.includes(name))
        .slice(0, first)
        .map(([, each]) => each),
    }),
  }
}
