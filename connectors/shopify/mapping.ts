import { type FieldType, formatFieldType, type Value } from '../../schemas/field-type.ts'
import { parseKey } from '../../schemas/key.ts'
import type { EntityMapping, Upsert } from '../destination.ts'
import {
  type FieldForm,
  fieldNames,
  formOf,
  isTarget,
  METAFIELDS_MAX,
  type MetafieldName,
  metafieldOf,
  PRODUCT_FIELD,
  TARGETS,
  type Target,
} from './fields.ts'
import { at, type Json, type JsonObject, listAt, setAt, textAt } from './json.ts'
import { type Rendered, readInput, readMetafield, renderInput, renderMetafield } from './values.ts'

export interface ResolvedField {
  readonly to: string
  readonly type: FieldType
  /** How it is sent; null for a metafield and for the reference to a product. */
  readonly form: FieldForm | null
  readonly metafield: MetafieldName | null
}

/** A mapping in the vendor's terms. */
export interface Resolved {
  readonly mapping: EntityMapping
  readonly target: Target
  /** The first of `keyFields`: what objects are found by. */
  readonly keyField: string
  readonly fields: ReadonlyMap<string, ResolvedField>
  /** `namespace.key` of every metafield that is looked at, the key's included; never empty. */
  readonly metafieldKeys: readonly string[]
  readonly policy: 'hard' | 'archive' | 'ignore'
}

/** The delete policies that the vendor's objects offer. `soft` and `archive` of a product are one thing there: its status ARCHIVED. */
const POLICIES: Readonly<Record<Target, Readonly<Record<string, Resolved['policy']>>>> = {
  product: { hard: 'hard', soft: 'archive', archive: 'archive', ignore: 'ignore' },
  customer: { hard: 'hard', ignore: 'ignore' },
  variant: { hard: 'hard', ignore: 'ignore' },
  inventory: { ignore: 'ignore' },
}

const KEY_FIELDS: Readonly<
  Record<Target, { readonly names: readonly string[]; readonly metafield: boolean; readonly words: string }>
> = {
  product: { names: ['handle'], metafield: true, words: '`handle` or `metafields.<namespace>.<key>`' },
  customer: { names: ['email', 'phone'], metafield: true, words: '`email`, `phone` or `metafields.<namespace>.<key>`' },
  variant: { names: ['sku'], metafield: true, words: '`sku` or `metafields.<namespace>.<key>`' },
  inventory: { names: ['sku'], metafield: false, words: '`sku`, or `sku` and `location`' },
}

/** @returns the mapping in the vendor's terms, or what is wrong with it in words */
export function resolveMapping(mapping: EntityMapping): {
  readonly resolved: Resolved | null
  readonly problems: readonly string[]
} {
  const name = `${mapping.entity.name} → ${mapping.target}`
  if (!isTarget(mapping.target))
    return { resolved: null, problems: [`${name}: there is no such target; Shopify has ${TARGETS.join(', ')}`] }
  const target = mapping.target
  const problems: string[] = []
  const say = (problem: string) => problems.push(`${name}: ${problem}`)

  const fields = new Map<string, ResolvedField>()
  for (const { to, type } of mapping.fields) {
    const form = formOf(target, to) ?? null
    const metafield = target === 'inventory' ? null : (metafieldOf(to) ?? null)
    const isProduct = target === 'variant' && to === PRODUCT_FIELD
    if (fields.has(to)) say(`${to} is mapped twice`)
    else if (form === null && metafield === null && !isProduct)
      say(
        `${to} cannot be mapped; it takes ${fieldNames(target).join(', ')}${target === 'inventory' ? '' : ' and metafields.<namespace>.<key>'}`,
      )
    else if (form !== null && !form.kinds.includes(type.kind))
      say(`${to} is ${formatFieldType(type)}; it takes ${form.kinds.join(', ')}`)
    fields.set(to, { to, type, form, metafield })
  }
  const metafields = [...fields.values()].filter(({ metafield }) => metafield !== null)
  if (metafields.length > METAFIELDS_MAX)
    say(`${metafields.length} metafields; one change can set ${METAFIELDS_MAX} at once`)
  if (target === 'inventory' && !fields.has('available')) say('`available` is not mapped')

  for (const problem of keyProblems(mapping, target)) say(problem)
  for (const [field, lookup] of Object.entries(mapping.lookups))
    if (target !== 'variant' || field !== PRODUCT_FIELD || lookup.target !== 'product')
      say(`${field} cannot refer to ${lookup.target}; a variant's \`product\` can, to product`)
  if (fields.has(PRODUCT_FIELD) && !Object.hasOwn(mapping.lookups, PRODUCT_FIELD))
    say('`product` needs a lookup: {target: product, keyField: handle}')

  const { onDelete } = mapping
  const policy = typeof onDelete === 'string' ? POLICIES[target][onDelete] : undefined
  if (policy === undefined)
    say(
      `deletes can be ${Object.keys(POLICIES[target]).join(', ')}, not ${typeof onDelete === 'string' ? onDelete : 'conditional'}`,
    )
  if (problems.length > 0 || policy === undefined) return { resolved: null, problems }

  const keyMetafields = mapping.keyFields.map(metafieldOf).filter((found) => found !== undefined)
  const names = [...metafields.map(({ metafield }) => metafield!), ...keyMetafields].map(
    ({ namespace, key }) => `${namespace}.${key}`,
  )
  // Asking for none of them would be asking for all.
  const metafieldKeys = names.length === 0 ? ['tributary.deleted'] : [...new Set(names)]
  return { resolved: { mapping, target, keyField: mapping.keyFields[0]!, fields, metafieldKeys, policy }, problems: [] }
}

function keyProblems({ keyFields, entity }: EntityMapping, target: Target): readonly string[] {
  const { names, metafield, words } = KEY_FIELDS[target]
  const [first, second] = keyFields
  const isKnown = first !== undefined && (names.includes(first) || (metafield && metafieldOf(first) !== undefined))
  const isPair = target === 'inventory' && keyFields.length === 2 && second === 'location'
  if (!isKnown || (keyFields.length !== 1 && !isPair))
    return [`keyFields is [${keyFields.join(', ')}]; it can be ${words}`]
  if (keyFields.length !== entity.key.length)
    return [`keyFields has ${keyFields.length} names for the ${entity.key.length} key fields of ${entity.name}`]
  return []
}

/** The parts of a key in the order of `keyFields`, or why no object there can have it. */
export function keyParts({ mapping, target }: Resolved, key: string): Rendered<readonly string[]> {
  const parts = parseKey(key, mapping.keyFields.length)
  if (parts === undefined || parts.some((part) => part === '' || part.length > KEY_CHARS_MAX))
    return { ok: false, code: 'key-unsuitable', reason: `the key is no ${mapping.keyFields.join(' and ')}` }
  // Shopify makes any text a handle by changing it, and the object would never be found again.
  if (target === 'product' && mapping.keyFields[0] === 'handle' && !HANDLE.test(parts[0]!))
    return {
      ok: false,
      code: 'key-unsuitable',
      reason:
        'the key is no handle (small letters, digits, `-`, `_`); make a custom id the key field, or a handle with a transform',
    }
  return { ok: true, value: parts }
}

const KEY_CHARS_MAX = 255
const HANDLE = /^[\p{Ll}\p{Lo}\p{N}_-]+$/u

/** What a patch sends. */
export interface Sent {
  /** The fields of the input, without those of the key. */
  readonly input: JsonObject
  readonly metafields: readonly (MetafieldName & { readonly value: string })[]
  /** Metafields that are cleared, which means deleted. */
  readonly cleared: readonly MetafieldName[]
}

/** The inputs of a patch, or why the record is at fault. */
export function renderPatch({ fields, mapping }: Resolved, patch: Upsert): Rendered<Sent> {
  const input: Record<string, Json> = {}
  const metafields: (MetafieldName & { value: string })[] = []
  const cleared: MetafieldName[] = []
  for (const [to, value] of Object.entries(patch.fields)) {
    const field = fields.get(to)
    if (field === undefined) return { ok: false, code: 'field-unmapped', reason: `${to} is not a field of the mapping` }
    if (mapping.keyFields.includes(to)) continue
    const { metafield, form, type } = field
    if (metafield !== null && value === null) cleared.push(metafield)
    else if (metafield !== null) {
      const rendered = renderMetafield(type, value)
      if (!rendered.ok) return inField(to, rendered)
      metafields.push({ ...metafield, value: rendered.value })
    } else if (form !== null) {
      if (value === null && form.cleared === undefined)
        return { ok: false, code: 'value-missing', reason: `${to} cannot be cleared at the destination` }
      const rendered = value === null ? { ok: true as const, value: form.cleared! } : renderInput(type, value)
      if (!rendered.ok) return inField(to, rendered)
      setAt(input, form.input, rendered.value)
    }
  }
  return { ok: true, value: { input, metafields, cleared } }
}

function inField<T>(to: string, refused: Rendered<T> & { readonly ok: false }): Rendered<never> {
  return { ...refused, reason: `${to}: ${refused.reason}` }
}

/** The mapped fields of an object that was read, in canonical form; the name of the first that is no value of its type. */
export function readObject(
  { fields, mapping }: Resolved,
  object: Json,
): { readonly values: Readonly<Record<string, Value>>; readonly wrong: string | null } {
  const values: Record<string, Value> = {}
  for (const { to, type, form, metafield } of fields.values()) {
    let value: Value | undefined
    if (metafield !== null) {
      const text = metafieldText(object, metafield)
      value = text === undefined ? null : readMetafield(type, text)
    } else if (form !== null) {
      const json = at(object, ...(form.output ?? form.input))
      value = json === form.cleared && json === '' ? null : readInput(type, json)
    } else continue
    if (value === undefined) return { values: {}, wrong: `${mapping.target}.${to}` }
    values[to] = value
  }
  return { values, wrong: null }
}

export function metafieldText(object: Json, { namespace, key }: MetafieldName): string | undefined {
  const node = listAt(object, 'metafields', 'nodes').find(
    (each) => textAt(each, 'key') === key && sameNamespace(textAt(each, 'namespace'), namespace),
  )
  return textAt(node, 'value')
}

/** `$app` is answered as `app--<id of the app>`, and `$app:name` as `app--<id>--name`. */
function sameNamespace(told: string | undefined, namespace: string): boolean {
  if (told === namespace) return true
  if (!namespace.startsWith('$app')) return false
  return new RegExp(`^app--\\d+${namespace === '$app' ? '' : `--${namespace.slice(5)}`}$`).test(told ?? '')
}
