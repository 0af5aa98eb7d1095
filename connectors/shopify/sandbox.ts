import { execute, type GraphQLError, parse, validate } from 'graphql'
import {
  jsonOf,
  type Sandbox,
  type SandboxAnswer,
  type SandboxOptions,
  type SandboxRequest,
  serveWhenRun,
  startSandbox,
} from '../http/sandbox-server.ts'
import { actualCost, COST_MAX, PointBucket, requestedCost } from './sandbox/cost.ts'
import { customerMutations } from './sandbox/customers.ts'
import { inventoryMutations } from './sandbox/inventory.ts'
import { metafieldMutations } from './sandbox/metafields.ts'
import { productMutations } from './sandbox/products.ts'
import { queries } from './sandbox/queries.ts'
import { SCHEMA } from './sandbox/schema.ts'
import type { Metafield, State } from './sandbox/state.ts'

// A Shopify store with what this project uses of its Admin API: real GraphQL over a part of the vendor's schema, the rules that shopify.dev
// documents, all in memory. It shares nothing with the connector, so as not to share its misunderstandings.

export interface ShopifySandboxOptions extends SandboxOptions {
  readonly accessToken?: string
  /** The version that is served; a request for another is answered by this one, as the vendor does for versions that it no longer has. */
  readonly apiVersion?: string
  readonly scopes?: readonly string[]
  readonly locations?: readonly string[]
  /** Points in the bucket, and how many come back a second: 2,000 and 100 on the smallest plan. */
  readonly maximumAvailable?: number
  readonly restoreRate?: number
  /** `PRODUCT custom.erp_id` → `id`: metafield definitions that are there from the beginning. */
  readonly definitions?: Readonly<Record<string, string>>
}

export const SANDBOX_TOKEN = 'shpat_sandbox'
const SCOPES = ['write_products', 'write_customers', 'write_inventory', 'read_locations']
/** What a demo of products and customers with an ERP's ids needs. */
const DEFINITIONS = {
  'PRODUCT custom.erp_id': 'id',
  'CUSTOMER custom.erp_id': 'id',
  'PRODUCTVARIANT custom.erp_id': 'id',
}

/** Starts a store on loopback. Its objects: `product`, `variant`, `customer`, `inventory`. */
export async function startShopifySandbox(options: ShopifySandboxOptions = {}): Promise<Sandbox> {
  const now = () => performance.now()
  const token = { value: options.accessToken ?? SANDBOX_TOKEN, expired: false }
  const version = options.apiVersion ?? '2026-07'
  const state = emptyStore(options)
  const bucket = new PointBucket(options.maximumAvailable ?? 2_000, options.restoreRate ?? 100, now)
  const root = {
    ...queries(state),
    ...productMutations(state),
    ...customerMutations(state),
    ...metafieldMutations(state),
    ...inventoryMutations(state, now),
  }

  return await startSandbox(
    {
      secretHeaders: ['x-shopify-access-token'],
      objects: (target) => objectsOf(state, target),
      expireTokens() {
        token.expired = true
      },
      // Throttling is an answer like any other, with status 200 (shopify.dev, rate limits).
      throttled(retryAfterSeconds) {
        const status = { ...bucket.status, currentlyAvailable: 0, restoreRate: 100 }
        const requestedQueryCost = Math.max(1, Math.ceil(retryAfterSeconds * 100))
        return throttledAnswer(version, requestedQueryCost, status)
      },
      async handle(request, { rejects }) {
        const refused = refusedOutright(request, token)
        if (refused) return refused
        state.rejects = rejects
        return await answer(request, root, bucket, version)
      },
    },
    options,
  )
}

function emptyStore(options: ShopifySandboxOptions): State {
  const definitions = Object.entries({ ...DEFINITIONS, ...options.definitions }).map(([name, type]) => {
    const [ownerType, path] = name.split(' ') as [string, string]
    const [namespace, key] = path.split('.') as [string, string]
    return [name, { ownerType, namespace, key, type }] as const
  })
  const locations = (options.locations ?? ['Shop location']).map((name, at) => ({
    id: `gid://shopify/Location/${at + 1}`,
    name,
  }))
  return {
    products: new Map(),
    variants: new Map(),
    customers: new Map(),
    levels: new Map(),
    locations,
    definitions: new Map(definitions),
    scopes: new Set(options.scopes ?? SCOPES),
    rejects: () => false,
    lastId: 1000,
  }
}

/** What is refused before anything is read (shopify.dev, "Shopify API response status and error codes"). */
function refusedOutright(
  request: SandboxRequest,
  token: { readonly value: string; readonly expired: boolean },
): SandboxAnswer | null {
  if (!/^\/admin\/api\/\d{4}-\d\d\/graphql\.json$/.test(request.path))
    return { status: 404, body: { errors: 'Not Found' } }
  if (request.method !== 'POST') return { status: 405 }
  if (token.expired || request.headers['x-shopify-access-token'] !== token.value)
    return {
      status: 401,
      body: { errors: '[API] Invalid API key or access token (unrecognized login or wrong password)' },
    }
  if (!request.headers['content-type']?.startsWith('application/json'))
    return { status: 400, body: { errors: 'Bad Request' } }
  return null
}

async function answer(
  request: SandboxRequest,
  root: object,
  bucket: PointBucket,
  version: string,
): Promise<SandboxAnswer> {
  const headers = { 'x-shopify-api-version': version }
  const asked = jsonOf(request.body) as { query?: unknown; variables?: unknown } | undefined
  if (typeof asked?.query !== 'string')
    return { status: 400, headers, body: { errors: { query: 'Required parameter missing or invalid' } } }
  const variables = (asked.variables ?? {}) as Readonly<Record<string, unknown>>
  const document = parsed(asked.query)
  if (document === null)
    return { status: 200, headers, body: { errors: [worded('syntax error, unexpected end of file', 'parseError')] } }
  const invalid = validate(SCHEMA, document)
  if (invalid.length > 0)
    return {
      status: 200,
      headers,
      body: { errors: invalid.map(({ message }) => worded(message, codeOfInvalid(message))) },
    }

  const requestedQueryCost = requestedCost(document, variables)
  if (requestedQueryCost > COST_MAX) {
    const message = `Query cost is ${requestedQueryCost}, which exceeds the single query max cost limit (${COST_MAX}).`
    return { status: 200, headers, body: { errors: [worded(message, 'MAX_COST_EXCEEDED')] } }
  }
  if (!bucket.take(requestedQueryCost)) return throttledAnswer(version, requestedQueryCost, bucket.status)
  const result = await execute({ schema: SCHEMA, document, rootValue: root, variableValues: variables })
  const actualQueryCost = actualCost(requestedQueryCost, result.data)
  bucket.take(actualQueryCost - requestedQueryCost)
  const cost = { requestedQueryCost, actualQueryCost, throttleStatus: bucket.status }
  const errors = result.errors?.map(wordedError)
  return { status: 200, headers, body: { data: result.data, ...(errors ? { errors } : {}), extensions: { cost } } }
}

function throttledAnswer(version: string, requestedQueryCost: number, throttleStatus: object): SandboxAnswer {
  return {
    status: 200,
    headers: { 'x-shopify-api-version': version },
    body: {
      errors: [worded('Throttled', 'THROTTLED')],
      extensions: { cost: { requestedQueryCost, actualQueryCost: null, throttleStatus } },
    },
  }
}

function parsed(query: string) {
  try {
    return parse(query)
  } catch {
    // The vendor's answer to it says so.
    return null
  }
}

function worded(message: string, code: string): object {
  return { message, extensions: { code } }
}

function codeOfInvalid(message: string): string {
  if (message.startsWith('Cannot query field')) return 'undefinedField'
  return message.startsWith('Unknown argument') ? 'argumentNotAccepted' : 'variableMismatch'
}

/** Variables that do not fit are answered with their values, as the vendor does. */
function wordedError(error: GraphQLError): object {
  const variable = /^Variable "\$(\w+)" got invalid value .*?(?: at "([\w.[\]]+)")?;/s.exec(error.message)
  if (!variable)
    return {
      message: error.message,
      path: error.path,
      extensions: { code: 'INTERNAL_SERVER_ERROR', ...error.extensions },
    }
  const path = (variable[2] ?? variable[1]!).split(/[.[\]]+/).filter(Boolean)
  return {
    message: error.message,
    extensions: { code: 'INVALID_VARIABLE', problems: [{ path, explanation: error.message }] },
  }
}

function objectsOf(state: State, target: string): readonly unknown[] {
  const plain = <T extends { readonly metafields: Map<string, Metafield> }>(each: T) => ({
    ...each,
    metafields: Object.fromEntries([...each.metafields].map(([name, { value }]) => [name, value])),
  })
  switch (target) {
    case 'product':
      return [...state.products.values()].map(plain)
    case 'variant':
      return [...state.variants.values()].map(plain)
    case 'customer':
      return [...state.customers.values()].map(plain)
    case 'inventory': {
      const skus = new Map([...state.variants.values()].map(({ inventoryItemId, item }) => [inventoryItemId, item.sku]))
      const names = new Map(state.locations.map(({ id, name }) => [id, name]))
      return [...state.levels].map(([place, available]) => {
        const [inventoryItemId, locationId] = place.split(' ') as [string, string]
        return {
          sku: skus.get(inventoryItemId) ?? null,
          location: names.get(locationId),
          inventoryItemId,
          locationId,
          available,
        }
      })
    }
    default:
      return []
  }
}

serveWhenRun(import.meta.url, startShopifySandbox)
