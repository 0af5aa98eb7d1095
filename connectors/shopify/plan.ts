import { TributaryError } from '../../schemas/errors.ts'
import type { FieldType } from '../../schemas/field-type.ts'
import type { EntityMapping, Outcome } from '../destination.ts'
import type { Api } from './api.ts'
import { READ_DEFINITIONS, READ_SCOPES } from './documents.ts'
import { type MetafieldName, metafieldOf, type Target } from './fields.ts'
import { readLocations } from './find.ts'
import { at, listAt, textAt } from './json.ts'
import { type Resolved, resolveMapping } from './mapping.ts'

const SCOPES: Readonly<Record<Target, readonly string[]>> = {
  product: ['write_products'],
  variant: ['write_products'],
  customer: ['write_customers'],
  inventory: ['read_products', 'write_inventory', 'read_locations'],
}
const OWNER_TYPES: Readonly<Record<Target, string>> = {
  product: 'PRODUCT',
  variant: 'PRODUCTVARIANT',
  customer: 'CUSTOMER',
  inventory: '',
}

/**
 * What is missing at the store, in words: scopes of the app, metafield definitions, the version of the API.
 * @throws TributaryError `destination-unreachable`, `destination-unsuitable`
 */
export async function planStore(
  api: Api,
  apiVersion: string,
  mappings: readonly EntityMapping[],
): Promise<readonly string[]> {
  const missing: string[] = []
  const all: Resolved[] = []
  for (const mapping of mappings) {
    const { resolved, problems } = resolveMapping(mapping)
    missing.push(...problems)
    if (resolved) all.push(resolved)
  }
  const scopes = await api.call(READ_SCOPES, {})
  if (scopes.kind === 'failed') throw errorOf(scopes.outcome)
  if (scopes.kind === 'data') {
    const granted = new Set(listAt(scopes.payload, 'accessScopes').map((scope) => textAt(scope, 'handle')))
    const needed = new Set(all.flatMap(({ target }) => SCOPES[target]))
    // Who may write may read.
    const lacks = [...needed].filter((scope) => !granted.has(scope) && !granted.has(scope.replace(/^read_/, 'write_')))
    for (const scope of lacks) missing.push(`the app has no access scope ${scope}: grant it`)
  }
  if (api.servedVersion !== null && api.servedVersion !== apiVersion)
    missing.push(`the store answers with API version ${api.servedVersion}, not ${apiVersion}: correct \`apiVersion\``)
  for (const resolved of all) missing.push(...(await missingDefinitions(api, resolved)))
  if (all.some(({ target, mapping }) => target === 'inventory' && mapping.keyFields.length === 1)) {
    const reply = await readLocations(api)
    if (reply.kind === 'failed') throw errorOf(reply.outcome)
    if (reply.locations.length !== 1)
      missing.push(
        `inventory: the store has ${reply.locations.length} active locations; with one SKU as the key there must be one`,
      )
  }
  return [...new Set(missing)]
}

/** Without a definition a metafield has no settled type, and an id is not unique. */
async function missingDefinitions(api: Api, { target, fields, mapping }: Resolved): Promise<readonly string[]> {
  const missing: string[] = []
  const wanted = [...fields.values()].flatMap(({ metafield, type }) => (metafield ? [{ metafield, type }] : []))
  const keyName = metafieldOf(mapping.keyFields[0]!)
  const isKey = ({ namespace, key }: MetafieldName) => keyName?.namespace === namespace && keyName.key === key
  if (keyName && !wanted.some(({ metafield }) => isKey(metafield)))
    wanted.push({ metafield: keyName, type: { kind: 'string' } })
  for (const { metafield, type } of wanted) {
    const name = `${metafield.namespace}.${metafield.key}`
    const reply = await api.call(READ_DEFINITIONS, { ownerType: OWNER_TYPES[target], ...metafield })
    if (reply.kind === 'failed') throw errorOf(reply.outcome)
    const definition = reply.kind === 'data' ? listAt(reply.payload, 'nodes')[0] : undefined
    const defined = textAt(definition, 'type', 'name')
    if (defined === undefined) missing.push(`${target}: there is no metafield definition ${name}; make one`)
    else if (!fits(type, defined))
      missing.push(`${target}: the metafield ${name} is a ${defined}, which does not hold ${type.kind}`)
    else if (isKey(metafield) && at(definition, 'capabilities', 'uniqueValues', 'enabled') !== true)
      missing.push(`${target}: the metafield ${name} is the key, and its values are not unique; give it the type id`)
  }
  return missing
}

/** Whether a metafield of a type can hold what {@link FieldType} has. Texts go into every type that is one. */
function fits(type: FieldType, defined: string): boolean {
  if (type.kind === 'array') return defined.startsWith('list.') && fits(type.of, defined.slice(5))
  if (defined.startsWith('list.')) return false
  switch (type.kind) {
    case 'boolean':
      return defined === 'boolean'
    case 'int32':
    case 'int64':
      return defined === 'number_integer' || defined === 'number_decimal' || isText(defined)
    case 'decimal':
    case 'numeric':
    case 'double':
      return defined === 'number_decimal' || isText(defined)
    case 'date':
      return defined === 'date' || isText(defined)
    case 'timestamp':
    case 'timestamptz':
      return defined === 'date_time' || isText(defined)
    case 'json':
      return defined === 'json' || defined === 'multi_line_text_field'
    case 'time':
    case 'bytes':
      return isText(defined)
    case 'string':
    case 'enum':
    case 'uuid':
      return !['boolean', 'number_integer', 'number_decimal', 'json', 'date', 'date_time'].includes(defined)
  }
}

function isText(defined: string): boolean {
  return defined === 'single_line_text_field' || defined === 'multi_line_text_field' || defined === 'id'
}

export function errorOf(outcome: Outcome): TributaryError {
  if (outcome.kind === 'unavailable' || outcome.kind === 'unknown')
    return outcome.error instanceof TributaryError
      ? outcome.error
      : new TributaryError('destination-unreachable', 'the store did not answer', { cause: outcome.error })
  if (outcome.kind === 'throttled')
    return new TributaryError('destination-unreachable', 'the store asks for fewer requests; try again in a while')
  return new TributaryError(
    'destination-unsuitable',
    `the store refuses what it was asked (${'code' in outcome ? outcome.code : outcome.kind})`,
  )
}
