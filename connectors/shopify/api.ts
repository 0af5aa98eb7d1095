import type { Budget } from '../destination.ts'
import { createHttpClient, unanswered } from '../http/client.ts'
import { type Reply, replyOf } from './answer.ts'
import { type Bucket, bucketAfter, budgetOf } from './budget.ts'
import type { Document } from './documents.ts'
import type { Json, JsonObject } from './json.ts'

export interface ApiOptions {
  /** `https://<store>.myshopify.com`. */
  readonly url: string
  readonly accessToken: string
  /** Such as `2026-07`. */
  readonly apiVersion: string
  readonly allowAddresses: readonly string[]
  readonly connections: number
  readonly timeoutMs: number
}

/** The Admin API of one store: one document a request, values as variables. */
export interface Api {
  readonly endpoint: string
  /** The version that the last answer came from (`X-Shopify-API-Version`): the store serves its oldest one for what it no longer has. */
  readonly servedVersion: string | null
  call(document: Document, variables: JsonObject, signal?: AbortSignal): Promise<Reply>
  budget(): Budget | null
  close(): void
}

export function createApi(options: ApiOptions): Api {
  const client = createHttpClient(options)
  const endpoint = endpointOf(options.url, options.apiVersion)
  let bucket: Bucket | null = null
  let servedVersion: string | null = null
  return {
    endpoint,
    get servedVersion() {
      return servedVersion
    },
    budget: () => budgetOf(bucket, performance.now()),
    async call(document, variables, signal) {
      const body = bodyOf(document, variables)
      try {
        const headers = {
          'content-type': 'application/json',
          accept: 'application/json',
          'x-shopify-access-token': options.accessToken,
        }
        const {
          status,
          headers: told,
          body: bytes,
        } = await client.send({ method: 'POST', url: endpoint, headers, body }, signal)
        const answer = parsed(bytes)
        bucket = bucketAfter(bucket, answer, performance.now())
        const version = told['x-shopify-api-version']
        if (typeof version === 'string') servedVersion = version
        return replyOf(document.root, document.writes, { status, headers: told, body: answer })
      } catch (error) {
        const outcome = unanswered(error)
        // A query that got lost changed nothing.
        if (outcome.kind === 'unknown' && !document.writes)
          return { kind: 'failed', outcome: { kind: 'unavailable', error: outcome.error } }
        return { kind: 'failed', outcome }
      }
    },
    close: () => client.close(),
  }
}

export function endpointOf(url: string, apiVersion: string): string {
  return `${url.replace(/\/+$/, '')}/admin/api/${apiVersion}/graphql.json`
}

export function bodyOf(document: Document, variables: JsonObject): string {
  return JSON.stringify({ query: document.text, variables })
}

function parsed(body: Buffer): Json | undefined {
  try {
    return JSON.parse(body.toString('utf8')) as Json
  } catch {
    // What is not JSON is judged by its status, and by what it lacks.
    return undefined
  }
}
