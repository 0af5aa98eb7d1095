import { z } from 'zod'
import { isAddressRange } from '../../../connectors/http/addresses.ts'
import { duration, listed, mapping, matching, NAME, named, oneOf, postgresUrl, text, whole, written } from '../forms.ts'
import { DURATION_RANGE, parseDurationRangeMs, parseTarget } from '../notation.ts'
import { deletion, policy } from './deletion-definition.ts'
import { destinationField } from './field-definition.ts'
import { KINDS, SUBSCRIBER_TYPES, type SubscriberType } from './kinds.ts'

/** What may stand in `subscribers`: one form for each kind of system. */

const ATTEMPTS_MAX = 20
const FAILURES_MAX = 1000
const ADDRESSES_MAX = 100
const SECRETS_MAX = 5
const KEY_FIELDS_MAX = 16

const FIELD_LIST = 'the name of a destination field, or a list of them'

/** Without a user: credentials have fields of their own. */
const httpUrl = (example: string) =>
  matching(/^https?:\/\/[^\s/?#@]+(?:\/[^\s?#]*)?$/, `an address such as \`${example}\`, without a query`)

const lookup = mapping({
  target: text('the collection or object that is referred to').describe(
    'What is referred to, in the name it has there.',
  ),
  keyField: text('the field of it that holds its key').describe('The field of it that holds its key.'),
})

const fields = z
  .record(z.string(), destinationField, { error: 'a mapping of destination fields to entity fields' })
  .optional()
  .describe('Destination field: entity field, or a transform. Default: every field under its own name.')

const table = mapping({
  table: written(parseTarget, 'the name of a table')
    .optional()
    .describe("The table there. Default: the entity's name with - replaced by _."),
  onDelete: z
    .union([policy('warehouse'), deletion()], {
      error: `${listed(KINDS.warehouse.policies, 'or')}, or a mapping such as \`{ soft: { while: … }, else: hard }\``,
    })
    .optional()
    .describe("What a delete does. Default: the subscriber's `onDelete`."),
  fields,
})
  .nullable()
  .describe('What this subscriber takes of the entity. Empty: every field, under its own name.')

const TARGETS: Readonly<Record<Exclude<SubscriberType, 'warehouse'>, readonly [what: string, example: string]>> = {
  dataverse: ['an entity set such as `accounts`', 'The entity set there, such as `accounts`.'],
  'finance-operations': ['a data entity such as `CustomersV3`', 'The public data entity there, such as `CustomersV3`.'],
  'business-central': ['a collection such as `customers`', 'The collection of the API there, such as `customers`.'],
  salesforce: ['an object such as `Account`', 'The object there, such as `Account`.'],
  shopify: ['`product`, `variant`, `customer` or `inventory`', 'The kind of object there.'],
  http: [
    'a path such as `/customers/{key}`',
    'The path of one object, such as `/customers/{key}`; or with the parts of its key, `/companies/{0}/customers/{1}`.',
  ],
}

function target(type: Exclude<SubscriberType, 'warehouse'>) {
  const [what, description] = TARGETS[type]
  if (type === 'http') return matching(/^[^\s?#\\]+$/, what).describe(description)
  if (type === 'shopify') return oneOf(['product', 'variant', 'customer', 'inventory']).describe(description)
  return matching(/^[A-Za-z_]\w{0,127}$/, what).describe(description)
}

function collection(type: Exclude<SubscriberType, 'warehouse'>) {
  return mapping({
    target: target(type),
    key: z
      .union(
        [
          text(FIELD_LIST),
          z
            .array(text(FIELD_LIST), { error: FIELD_LIST })
            .min(1, { error: FIELD_LIST })
            .max(KEY_FIELDS_MAX, { error: FIELD_LIST }),
        ],
        { error: FIELD_LIST },
      )
      .optional()
      .describe("The destination fields that hold the key, in the order of the entity's key fields."),
    updateOnly: z
      .boolean({ error: '`true` or `false`' })
      .default(false)
      .describe('Whether objects are only changed, and never made: a change waits for its object.'),
    lookups: z
      .record(z.string(), lookup, { error: 'a mapping of destination fields to what they refer to' })
      .default({})
      .describe('Destination fields that refer to other objects there, by their key.'),
    onDelete: policy(type).optional().describe("What a delete does. Default: the subscriber's `onDelete`."),
    fields,
  }).describe('What this subscriber takes of the entity.')
}

const ADDRESS = 'an address or a range such as `10.0.0.0/8`'

/** What every kind has; `entities` and what it says of deletes differ. */
function general<T extends SubscriberType>(type: T) {
  const { concurrency } = KINDS[type]
  return {
    type: z.literal(type).describe('The kind of system.'),
    concurrency: whole(1, concurrency.max)
      .default(concurrency.default)
      .describe(
        type === 'warehouse'
          ? 'How many batches of patches may be on their way at once.'
          : 'How many requests may be on their way at once.',
      ),
    retry: mapping({
      attempts: whole(1, ATTEMPTS_MAX).default(5).describe('How often a key that fails alone is tried in its lane.'),
      first: duration().default('1s').describe('The pause after the first failure; each is twice the one before.'),
      deadAfter: duration()
        .default('1h')
        .describe('How long it is then tried from the dead-letter topic, before it waits for a person.'),
    })
      .prefault({})
      .describe('What is done with a key that fails alone.'),
    breaker: mapping({
      failures: whole(1, FAILURES_MAX)
        .default(5)
        .describe('After how many failures in a row that are no fault of a record the subscriber counts as down.'),
      probeEvery: matching(DURATION_RANGE, 'a duration, or two such as `1s..30s`')
        .refine((value) => !DURATION_RANGE.test(value) || parseDurationRangeMs(value) !== undefined, {
          error: 'must begin with the shorter duration',
        })
        .default('1s..30s')
        .describe('How often it is then tried: from the first pause to the longest.'),
    })
      .prefault({})
      .describe('When everything waits because the subscriber is down.'),
    onDelete: policy(type)
      .default('hard')
      .describe(
        'What a delete does: the object goes (hard), is marked (soft), moves away (archive), or stays as it is (ignore).',
      ),
  }
}

function overHttp<T extends Exclude<SubscriberType, 'warehouse'>>(type: T) {
  return {
    ...general(type),
    timeout: duration().default('30s').describe('How long one request may take.'),
    lateRequest: duration()
      .optional()
      .describe('After this time a request that got no answer can no longer take effect. Default: twice `timeout`.'),
    allowAddresses: z
      .array(
        text(ADDRESS).refine((value) => value === '' || isAddressRange(value), { error: `must be ${ADDRESS}` }),
        { error: `a list of addresses or ranges` },
      )
      .max(ADDRESSES_MAX, { error: `at most ${ADDRESSES_MAX} addresses` })
      .default([])
      .describe('Private and reserved addresses that requests may go to; all others of that sort are refused.'),
    entities: named(collection(type), NAME, 'a mapping of entity names').describe('The entities it takes, by name.'),
  }
}

const clientId = () => text().describe('The client id of the application that is registered for tributary.')
const clientSecret = () => text().describe('Its secret.')

/** Entra ID's way to a token. */
const entra = () => ({
  tenant: matching(/^[\w.-]{1,128}$/, 'the id or the domain of a tenant')
    .optional()
    .describe('The tenant of Entra ID: gives `tokenUrl`.'),
  tokenUrl: httpUrl('https://login.microsoftonline.com/<tenant>/oauth2/v2.0/token')
    .optional()
    .describe("Where tokens are asked for. Default: Entra ID's endpoint of `tenant`."),
  clientId: clientId(),
  clientSecret: clientSecret(),
})

const warehouse = mapping({
  ...general('warehouse'),
  url: postgresUrl().describe('The address of the database: `postgres://user:password@host:5432/database`.'),
  schema: text().default('public').describe('The schema of its tables.'),
  timeout: duration()
    .default('30s')
    .describe('How long one statement may take. Twice that after it, one without an answer can no longer take effect.'),
  entities: named(table, NAME, 'a mapping of entity names').describe('The entities it takes, by name.'),
})

const dataverse = mapping({
  ...overHttp('dataverse'),
  compare: z
    .boolean({ error: '`true` or `false`' })
    .default(true)
    .describe('Whether writes are conditional on the ETag; false for tables without optimistic concurrency.'),
  url: httpUrl('https://contoso.crm4.dynamics.com').describe('The address of the environment.'),
  ...entra(),
})

const financeOperations = mapping({
  ...overHttp('finance-operations'),
  url: httpUrl('https://contoso.operations.dynamics.com').describe('The address of the environment.'),
  ...entra(),
  company: matching(/^[A-Za-z0-9_]{1,4}$/, 'a legal entity such as `usmf`').describe('The legal entity: `dataAreaId`.'),
})

const businessCentral = mapping({
  ...overHttp('business-central'),
  url: httpUrl('https://api.businesscentral.dynamics.com/v2.0/<tenant>/Production/api/v2.0').describe(
    'The address of the API, with tenant and environment.',
  ),
  ...entra(),
  company: matching(/^[0-9A-Fa-f-]{36}$/, 'the id of a company, a GUID').describe('The id of the company.'),
})

const salesforce = mapping({
  ...overHttp('salesforce'),
  url: httpUrl('https://acme.my.salesforce.com').describe('The address of the org.'),
  clientId: clientId(),
  clientSecret: clientSecret(),
  apiVersion: matching(/^v\d{2,3}\.0$/, 'a version such as `v66.0`')
    .default('v66.0')
    .describe('The version of the API.'),
})

const shopify = mapping({
  ...overHttp('shopify'),
  url: httpUrl('https://acme.myshopify.com').describe('The address of the store; one subscriber a store.'),
  accessToken: text().describe("The access token of the store's app."),
  apiVersion: matching(/^20\d\d-(?:01|04|07|10)$/, 'a version such as `2026-07`')
    .default('2026-07')
    .describe('The version of the API.'),
})

const SIGNING_SECRET = 'a secret such as `whsec_…`, or a list of them'
const signingSecret = () => matching(/^whsec_[A-Za-z0-9+/]{30,88}={0,2}$/, SIGNING_SECRET)

const http = mapping({
  ...overHttp('http'),
  url: httpUrl('https://api.example.com/v1').describe('What the address of every object begins with.'),
  secrets: z
    .union(
      [
        signingSecret(),
        z
          .array(signingSecret(), { error: SIGNING_SECRET })
          .max(SECRETS_MAX, { error: `at most ${SECRETS_MAX} secrets` }),
      ],
      {
        error: SIGNING_SECRET,
      },
    )
    .default([])
    .describe('What requests are signed with (Standard Webhooks), the newest first. Default: they are not signed.'),
  headers: z
    .record(z.string(), matching(/^[\t\x20-\x7e]{1,4096}$/, 'a text of ASCII characters, without line breaks'), {
      error: 'a mapping of header names to values',
    })
    .default({})
    .describe('Headers of every request, such as `authorization`. Secret.'),
})

const TYPES = listed(SUBSCRIBER_TYPES, 'or')

export const subscriber = z
  .discriminatedUnion('type', [warehouse, dataverse, financeOperations, businessCentral, salesforce, shopify, http], {
    error: (issue) => (issue.code === 'invalid_union' ? TYPES : 'a mapping with `type`'),
  })
  .describe('A system that changes are applied to.')

/** A subscriber as it stands in the file, with the defaults of its form. */
export type WrittenSubscriber = z.output<typeof subscriber>

/** What stands at one entity of a subscriber. */
export type WrittenSubscription = z.output<typeof table> | z.output<ReturnType<typeof collection>>
