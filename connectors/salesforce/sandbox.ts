import { randomBytes } from 'node:crypto'
import {
  type Asked,
  type Sandbox,
  type SandboxAnswer,
  type SandboxOptions,
  type SandboxRequest,
  serveWhenRun,
  startSandbox,
} from '../http/sandbox-server.ts'
import { json } from './sandbox/answer.ts'
import type { Objection } from './sandbox/collections.ts'
import type { RecordError } from './sandbox/field-values.ts'
import { DEFAULT_OBJECTS, type SandboxObject } from './sandbox/objects.ts'
import { route } from './sandbox/routes.ts'
import { createStore, RequestRefused } from './sandbox/store.ts'

export interface SalesforceSandboxOptions extends SandboxOptions {
  /** Instead of Account, Contact and Order__c. */
  readonly objects?: readonly SandboxObject[]
  readonly clientId?: string
  readonly clientSecret?: string
  /** The calls that may be made in all; default 100,000. */
  readonly callsMax?: number
  /** The most records of a query's page; default 2,000. */
  readonly pageMax?: number
}

export interface SalesforceSandbox extends Sandbox {
  /** The next saves and deletes of the object with this external id fail so, as often as told; a message may hold values, as the real ones do. */
  failKey(key: string, error: RecordError, times?: number): void
  /** The calls that count as made. */
  setCalls(used: number): void
}

export const SANDBOX_CLIENT = { clientId: 'tributary-sandbox', clientSecret: 'sandbox-secret' } as const
const CALLS_MAX = 100_000
const PAGE_MAX = 2_000
const FAILURES_MAX = 10_000
/** "Status Codes and Error Responses", 414 and 431: the address and the headers together. */
const ADDRESS_BYTES_MAX = 16_384

/** A Salesforce organisation of its own, as far as "REST API Developer Guide" tells: token, describe, rows by external id, collections, query. */
export async function startSalesforceSandbox(options: SalesforceSandboxOptions = {}): Promise<SalesforceSandbox> {
  const { clientId, clientSecret } = { ...SANDBOX_CLIENT, ...options }
  const callsMax = options.callsMax ?? CALLS_MAX
  const pageMax = options.pageMax ?? PAGE_MAX
  const store = createStore(options.objects ?? DEFAULT_OBJECTS)
  const failures = new Map<string, { error: RecordError; times: number }>()
  let tokens = new Set<string>()
  let calls = 0
  const limit = () => ({ 'sforce-limit-info': `api-usage=${calls}/${callsMax}` })

  const giveToken = (request: SandboxRequest): SandboxAnswer => {
    const form = new URLSearchParams(request.body.toString('utf8'))
    if (request.method !== 'POST') return json(405, [{ errorCode: 'METHOD_NOT_ALLOWED', message: 'POST' }])
    if (form.get('grant_type') !== 'client_credentials')
      return json(400, { error: 'unsupported_grant_type', error_description: 'grant type not supported' })
    if (form.get('client_id') !== clientId)
      return json(400, { error: 'invalid_client_id', error_description: 'client identifier invalid' })
    if (form.get('client_secret') !== clientSecret)
      return json(400, { error: 'invalid_client', error_description: 'invalid client credentials' })
    const token = `00DSB!${randomBytes(24).toString('base64url')}`
    tokens.add(token)
    const instance = `http://${request.headers.host}`
    return json(200, {
      access_token: token,
      signature: 'none',
      scope: 'api',
      instance_url: instance,
      id: `${instance}/id/00DSB0000000000AAA/005SB0000000000AAA`,
      token_type: 'Bearer',
      issued_at: String(Date.now()),
    })
  }

  const objectionOf =
    ({ rejects }: Asked): Objection =>
    (_object, key) => {
      if (key === null) return null
      const failure = failures.get(key)
      if (failure) {
        if (--failure.times <= 0) failures.delete(key)
        return failure.error
      }
      return rejects(key)
        ? { statusCode: 'FIELD_CUSTOM_VALIDATION_EXCEPTION', message: `the rule does not take ${key}`, fields: [] }
        : null
    }

  const handle = (request: SandboxRequest, asked: Asked): SandboxAnswer => {
    if (request.path === '/services/oauth2/token') return giveToken(request)
    if (request.path === '/services/data' || request.path === '/services/data/')
      return json(200, [{ label: 'Spring ’26', url: '/services/data/v66.0', version: '66.0' }])
    const token = /^(?:Bearer|OAuth) (.+)$/.exec(request.headers.authorization ?? '')?.[1]
    if (token === undefined || !tokens.has(token))
      return json(401, [{ message: 'Session expired or invalid', errorCode: 'INVALID_SESSION_ID' }])
    if (calls >= callsMax) return throttled()
    calls++
    const bytes = Buffer.byteLength(`${request.path}?${request.query}`)
    if (bytes > ADDRESS_BYTES_MAX)
      return { ...json(414, [{ errorCode: 'URI_TOO_LONG', message: 'URI Too Long' }]), headers: limit() }
    let answer: SandboxAnswer
    try {
      answer = route(store, request, objectionOf(asked), pageMax)
    } catch (error) {
      if (!(error instanceof RequestRefused)) throw error
      answer = json(error.errorCode === 'NOT_FOUND' ? 404 : 400, [
        { message: error.message, errorCode: error.errorCode },
      ])
    }
    return { ...answer, headers: { ...answer.headers, ...limit() } }
  }

  /** A limit that is used up answers 403, not 429, and names no time. */
  const throttled = (): SandboxAnswer => ({
    ...json(403, [{ message: 'TotalRequests Limit exceeded.', errorCode: 'REQUEST_LIMIT_EXCEEDED' }]),
  })

  const sandbox = await startSandbox(
    {
      handle,
      isToken: ({ path }) => path === '/services/oauth2/token',
      expireTokens: () => {
        tokens = new Set()
      },
      objects: (target) =>
        [...store.records(target)].map(([id, record]) => ({ Id: id, ...Object.fromEntries(record) })),
      throttled: (retryAfterSeconds) => {
        const { headers, ...told } = throttled()
        return {
          ...told,
          headers: { ...headers, ...(retryAfterSeconds > 0 ? { 'retry-after': String(retryAfterSeconds) } : {}) },
        }
      },
      failed: (status) => json(status, [{ message: 'An unexpected error occurred', errorCode: 'UNKNOWN_EXCEPTION' }]),
    },
    options,
  )
  return Object.assign(sandbox, {
    failKey(key: string, error: RecordError, times = 1) {
      if (failures.size < FAILURES_MAX) failures.set(key, { error, times })
    },
    setCalls(used: number) {
      calls = used
    },
  })
}

serveWhenRun(import.meta.url, startSalesforceSandbox)
