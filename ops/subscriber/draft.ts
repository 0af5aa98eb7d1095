import { KINDS, type SubscriberType } from '../declaration/subscribers/kinds.ts'
import type { WrittenEntity } from '../declaration/yaml/insert-subscriber.ts'

/** A subscriber to be written into a declaration. */
export interface Draft {
  /** Its lines, its name first, without indentation of their own. */
  readonly lines: readonly string[]
  /** The environment variables that it refers to. */
  readonly variables: readonly string[]
  /** Entities that were asked for and are left out, and why. */
  readonly leftOut: readonly { readonly entity: string; readonly reason: string }[]
}

/** One option of the connection: its value, what to say of it, and a value that passes the check of the form. */
interface Option {
  readonly option: string
  readonly hint: string
  readonly example: string
}

const CLIENT: readonly Option[] = [
  { option: 'clientId', hint: 'of the application that is registered for tributary', example: 'client' },
  { option: 'clientSecret', hint: '', example: 'secret' },
]
const TENANT: Option = { option: 'tenant', hint: 'the id or domain of the Entra ID tenant', example: 'contoso.example' }

const OPTIONS: Readonly<Record<SubscriberType, readonly Option[]>> = {
  warehouse: [
    { option: 'url', hint: 'postgres://user:password@host:5432/database', example: 'postgres://host/database' },
  ],
  dataverse: [
    { option: 'url', hint: 'such as https://contoso.crm4.dynamics.com', example: 'https://contoso.example' },
    TENANT,
    ...CLIENT,
  ],
  'finance-operations': [
    { option: 'url', hint: 'such as https://contoso.operations.dynamics.com', example: 'https://contoso.example' },
    TENANT,
    ...CLIENT,
    { option: 'company', hint: 'the legal entity, such as usmf', example: 'usmf' },
  ],
  'business-central': [
    {
      option: 'url',
      hint: 'such as https://api.businesscentral.dynamics.com/v2.0/<tenant>/Production/api/v2.0',
      example: 'https://contoso.example/api/v2.0',
    },
    TENANT,
    ...CLIENT,
    { option: 'company', hint: 'the id of the company, a GUID', example: '00000000-0000-0000-0000-000000000000' },
  ],
  salesforce: [
    { option: 'url', hint: 'such as https://acme.my.salesforce.com', example: 'https://acme.example' },
    ...CLIENT,
  ],
  shopify: [
    { option: 'url', hint: 'such as https://acme.myshopify.com', example: 'https://acme.example' },
    { option: 'accessToken', hint: "of the store's app", example: 'token' },
  ],
  http: [
    { option: 'url', hint: 'what the address of every object begins with', example: 'https://api.example' },
    {
      option: 'secrets',
      hint: 'whsec_…: what requests are signed with',
      example: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    },
  ],
}

const SECRET = /secret|token/i

/** The variable of an option, such as `CRM_CLIENT_SECRET`. */
function variableOf(name: string, option: string): string {
  return `${name}_${option.replace(/[A-Z]/g, '_$&')}`.replaceAll('-', '_').toUpperCase()
}

/** What the variables of a draft could hold, to check the form of a declaration before they are set. */
export function exampleEnvironment(name: string, type: SubscriberType): Readonly<Record<string, string>> {
  return Object.fromEntries(OPTIONS[type].map(({ option, example }) => [variableOf(name, option), example]))
}

/** Writes a subscriber with what it needs and what it can have. Pure. */
export function draftSubscriber(name: string, type: SubscriberType, entities: readonly WrittenEntity[]): Draft {
  const options = OPTIONS[type].map(({ option, hint }) => {
    const variable = variableOf(name, option)
    const said = SECRET.test(option) ? [hint, `or ${variable}_FILE names a file with it`] : [hint]
    const comment = said.filter((part) => part !== '').join('; ')
    return `  ${option}: \${${variable}}${comment === '' ? '' : ` # ${comment}`}`
  })
  const taken = entities.map((entity) => ({ entity, reason: unsuitable(type, entity) }))
  const { concurrency, policies } = KINDS[type]
  const lines = [
    `${name}:`,
    `  type: ${type}`,
    ...options,
    `  # concurrency: ${concurrency.default} # 1 to ${concurrency.max}`,
    `  onDelete: ${policies[0]} # or ${policies.slice(1).join(', ')}`,
    '  entities:',
    ...taken.flatMap(({ entity, reason }) => (reason === null ? entityLines(type, entity) : [])),
  ]
  return {
    lines,
    variables: OPTIONS[type].map(({ option }) => variableOf(name, option)),
    leftOut: taken.flatMap(({ entity, reason }) => (reason === null ? [] : [{ entity: entity.name, reason }])),
  }
}

function unsuitable(type: SubscriberType, { name, key, fields }: WrittenEntity): string | null {
  if (key.length === 0 || fields.length === 0) return 'its key or its fields cannot be read'
  if (KINDS[type].keyFields === 'one' && key.length > 1)
    return `its key has ${key.length} fields, and ${type} takes one`
  if (type === 'shopify' && SHOPIFY[shopifyTarget(name)] === undefined)
    return 'there is nothing like it in a store: name product, variant, customer or inventory as its target by hand'
  return null
}

function entityLines(type: SubscriberType, entity: WrittenEntity): readonly string[] {
  const { name, key, fields } = entity
  const targets =
    type === 'warehouse'
      ? [`      table: ${name.replaceAll('-', '_')}`]
      : [`      target: ${target(type, name)} # ${TARGET_HINTS[type]}`]
  const keys =
    KINDS[type].keyFields === 'none'
      ? []
      : [`      key: ${listOf(destinationKey(type, entity))} # what holds ${key.join(', ')} there`]
  const holders = KINDS[type].keyFields === 'none' ? key : destinationKey(type, entity)
  const pairs = fields.flatMap(({ name: field, personal }) => {
    const at = key.indexOf(field)
    const isWhole = holders.length === key.length
    const to = at < 0 || !isWhole ? field : holders[at]!
    // A store has no fields for its keys, and what holds a key holds nothing else.
    if (at < 0 ? holders.includes(field) : type === 'shopify') return []
    return [`        ${to}: ${field}${personal ? ' # personal' : ''}`]
  })
  return [`    ${name}:`, ...targets, ...keys, '      fields: # destination field: entity field', ...pairs]
}

const TARGET_HINTS: Readonly<Record<Exclude<SubscriberType, 'warehouse'>, string>> = {
  dataverse: 'the entity set, such as accounts',
  'finance-operations': 'the public data entity, such as CustomersV3',
  'business-central': 'the collection of the API, such as customers',
  salesforce: 'the object, such as Account',
  shopify: 'product, variant, customer or inventory; see docs/subscribers/shopify.md for their fields',
  http: 'the path of one object',
}

const SHOPIFY: Readonly<Record<string, readonly string[]>> = {
  product: ['handle'],
  variant: ['sku'],
  customer: ['metafields.erp.id'],
  inventory: ['sku', 'location'],
}

/** What an entity is called there most likely; to be set right by whoever knows the system. */
function target(type: Exclude<SubscriberType, 'warehouse'>, entity: string): string {
  const pascal = pascalOf(entity)
  if (type === 'http') return `/${entity}s/{key}`
  if (type === 'salesforce') return `${pascal}__c`
  if (type === 'finance-operations') return `${pascal}s`
  if (type === 'business-central') return `${pascal[0]!.toLowerCase()}${pascal.slice(1)}s`
  return type === 'shopify' ? shopifyTarget(entity) : `${entity.replaceAll('-', '_')}s`
}

function pascalOf(entity: string): string {
  const words = entity.split('-').filter((word) => word !== '')
  return words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('')
}

function shopifyTarget(entity: string): string {
  return /^(?:stock|inventory)/.test(entity) ? 'inventory' : entity
}

/** Where there is no field of that sort yet, the entity's own names. */
function destinationKey(type: SubscriberType, { name, key }: WrittenEntity): readonly string[] {
  if (type === 'salesforce') return [key.length === 1 ? `${key[0]!}__c` : `${pascalOf(name)}_Key__c`]
  const known = type === 'shopify' ? SHOPIFY[shopifyTarget(name)]! : key
  return known.length >= key.length ? known.slice(0, key.length) : key
}

function listOf(names: readonly string[]): string {
  return names.length === 1 ? names[0]! : `[${names.join(', ')}]`
}
