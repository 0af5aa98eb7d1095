import type { IncomingHttpHeaders } from 'node:http'
import { TributaryError } from '../../schemas/errors.ts'
import type { Outcome } from '../destination.ts'
import { retryAfterMs } from '../http/client.ts'
import { throttledForMs } from './budget.ts'
import { at, type Json, listAt, textAt } from './json.ts'

// What an answer means. Sources: shopify.dev, "Shopify API response status and error codes", "GraphQL Admin API rate limits", and the enums of
// user error codes of 2026-07. The texts of the vendor's errors repeat what was sent: none of them is passed on, only codes and field names.

export type Reply =
  /** `payload` is what stands under the document's root: null where a query found nothing. */
  | { readonly kind: 'data'; readonly payload: Json }
  /** A mutation was refused, and nothing of it took effect. */
  | { readonly kind: 'user-error'; readonly error: UserError }
  | { readonly kind: 'failed'; readonly outcome: Outcome }

/** What a refusal is about: the object that was addressed is missing, a unique value is held by another, and so on. */
export interface UserError {
  readonly verdict: 'missing' | 'duplicate' | 'stale' | 'busy' | 'used-key' | 'limit' | 'refused'
  /** The vendor's code, or one of ours where the mutation has none. */
  readonly code: string
  /** The path of the input field, without indexes; '' where it is not told. */
  readonly field: string
}

/** When nothing says how long to wait. */
const THROTTLED_MS_FALLBACK = 2_000

export interface Answered {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** undefined for what is not JSON. */
  readonly body: Json | undefined
}

/** @param writes whether it was a mutation: one that ended badly may have taken effect */
export function replyOf(root: string, writes: boolean, answer: Answered): Reply {
  const { status, body } = answer
  if (status !== 200) return failed(statusOutcome(writes, answer))
  const errors = listAt(body, 'errors')
  if (errors.length > 0) return failed(errorsOutcome(writes, errors, body))
  const payload = at(body, 'data', root)
  // A mutation's payload is never null without an error beside it.
  if (payload === undefined || (writes && payload === null))
    return failed(doubtful(writes, `an answer without \`data.${root}\``))
  const userErrors = listAt(payload, 'userErrors').map(userErrorOf)
  const first = userErrors.find(({ verdict }) => verdict !== 'refused') ?? userErrors[0]
  return first === undefined ? { kind: 'data', payload } : { kind: 'user-error', error: first }
}

/** What a refusal means for the patch. */
export function outcomeOf(error: UserError): Outcome {
  const where = error.field === '' ? '' : ` (${error.field})`
  switch (error.verdict) {
    case 'stale':
      return { kind: 'conflict' }
    case 'busy':
    case 'used-key':
      // An earlier request of the same change is being carried out, or the vendor itself does not know: how that ends is not known here.
      return { kind: 'unknown', error: unreachable(`Shopify does not say how the change ended (${error.code})`) }
    case 'limit':
      // Of one resource: it gives nobody else rest.
      return { kind: 'unavailable', error: unreachable(`Shopify has reached a limit${where}: ${error.code}`) }
    case 'duplicate':
      return {
        kind: 'blocked',
        by: '',
        code: 'duplicate-value',
        reason: `another object holds a value that has to be unique${where}`,
      }
    case 'missing':
      return { kind: 'blocked', by: '', code: error.code, reason: `what it belongs to is not there${where}` }
    case 'refused':
      return { kind: 'rejected', code: error.code, reason: `Shopify refuses it${where}: ${error.code}` }
  }
}

/** Codes of mutations that have some. What is not here is `refused`: a rule that the record breaks. */
const VERDICTS: Readonly<Record<string, UserError['verdict']>> = {
  CHANGE_FROM_QUANTITY_STALE: 'stale',
  COMPARE_QUANTITY_STALE: 'stale',
  STALE_OBJECT: 'stale',
  IDEMPOTENCY_CONCURRENT_REQUEST: 'busy',
  IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED: 'used-key',
  IDEMPOTENCY_KEY_PARAMETER_MISMATCH: 'used-key',
  PRODUCT_DOES_NOT_EXIST: 'missing',
  PRODUCT_VARIANT_DOES_NOT_EXIST: 'missing',
  AT_LEAST_ONE_VARIANT_DOES_NOT_BELONG_TO_THE_PRODUCT: 'missing',
  INVALID_INVENTORY_ITEM: 'missing',
  INVALID_LOCATION: 'missing',
  ITEM_NOT_STOCKED_AT_LOCATION: 'missing',
  TAKEN: 'duplicate',
  INTERNAL_ERROR: 'busy',
}

function userErrorOf(json: Json): UserError {
  const told = textAt(json, 'code')
  const path = listAt(json, 'field').filter(
    (step): step is string => typeof step === 'string' && /^[A-Za-z]\w*$/.test(step),
  )
  const field = path.join('.').slice(0, 200)
  const message = textAt(json, 'message') ?? ''
  const code = told !== undefined && /^[A-Z][A-Z0-9_]{1,80}$/.test(told) ? told : null
  const known = code === null ? undefined : VERDICTS[code]
  if (known !== undefined) return { verdict: known, code: code!, field }
  const verdict = verdictOfMessage(path.at(-1) ?? '', message)
  return { verdict, code: code ?? OWN_CODES[verdict], field }
}

/** For mutations whose errors are a field and a text: the codes that this destination gives them. */
const OWN_CODES: Readonly<Record<UserError['verdict'], string>> = {
  missing: 'object-missing',
  duplicate: 'duplicate-value',
  stale: 'stale',
  busy: 'busy',
  'used-key': 'used-key',
  limit: 'limit-reached',
  refused: 'user-error',
}

/** The product and customer mutations tell no codes (`UserError` has a field and a message only), so their words have to do. */
function verdictOfMessage(lastStep: string, message: string): UserError['verdict'] {
  if (/\b(already been taken|already taken|already exists|already in use|must be unique)\b/i.test(message))
    return 'duplicate'
  const isMissing = /\b(does not exist|doesn't exist|not found|(can't|cannot|could not|couldn't) be found)\b/i.test(
    message,
  )
  if (isMissing && (lastStep === '' || /id$/i.test(lastStep))) return 'missing'
  return /\b(limit reached|try again later)\b/i.test(message) ? 'limit' : 'refused'
}

function errorsOutcome(writes: boolean, errors: readonly Json[], body: Json | undefined): Outcome {
  const codes = errors.map((error) => textAt(error, 'extensions', 'code') ?? '')
  // Before it runs, a request is weighed: what is throttled took no effect.
  if (codes.includes('THROTTLED')) return { kind: 'throttled', afterMs: throttledForMs(body) }
  const isVariable = errors.some((error) => listAt(error, 'extensions', 'problems').length > 0)
  const code = isVariable
    ? 'INVALID_VARIABLE'
    : (codes.find((each) => /^[A-Za-z][A-Za-z0-9_]{1,80}$/.test(each)) ?? 'errors')
  switch (code) {
    case 'INVALID_VARIABLE':
      return { kind: 'rejected', code, reason: `Shopify's schema refuses a value${problemFields(errors)}` }
    case 'SHOP_INACTIVE':
      return { kind: 'unavailable', error: unreachable('the store is not active') }
    case 'ACCESS_DENIED':
    case 'MAX_COST_EXCEEDED':
      return {
        kind: 'unavailable',
        error: unsuitable(`Shopify refuses the request (${code}): check the app's access scopes`),
      }
    default: {
      // Nothing ran where there is no `data` and the document itself was refused.
      const isDocument = at(body, 'data') === undefined && /^[a-z]/.test(code) && code !== 'errors'
      if (isDocument)
        return {
          kind: 'unavailable',
          error: unsuitable(`the store does not know what it was asked (${code}): check the API version`),
        }
      return doubtful(writes, `an error of its own (${code})`)
    }
  }
}

/** Names of the input fields that a variable's error is about; never what was in them. */
function problemFields(errors: readonly Json[]): string {
  const names = errors
    .flatMap((error) => listAt(error, 'extensions', 'problems'))
    .map((problem) =>
      listAt(problem, 'path')
        .filter((step) => typeof step === 'string' && /^[A-Za-z]\w*$/.test(step))
        .join('.'),
    )
    .filter((name) => name !== '')
  return names.length === 0 ? '' : ` (${[...new Set(names)].slice(0, 5).join(', ')})`
}

function statusOutcome(writes: boolean, { status, headers }: Answered): Outcome {
  switch (status) {
    case 429:
    case 430:
      return { kind: 'throttled', afterMs: retryAfterMs(headers, THROTTLED_MS_FALLBACK) }
    case 401:
    case 403:
      return {
        kind: 'unavailable',
        error: unsuitable(`the store refuses the access token (${status}): check the token and its scopes`),
      }
    case 402:
    case 423:
      return {
        kind: 'unavailable',
        error: unreachable(`the store is frozen or locked (${status}): its owner has to act`),
      }
    case 404:
      return {
        kind: 'unavailable',
        error: unsuitable('there is no such store or API version (404): check `url` and `apiVersion`'),
      }
    case 503:
      // Something in between gives it too, also when the connection broke after it had passed the request on.
      return headers['retry-after'] === undefined
        ? doubtful(writes, `status ${status}`)
        : { kind: 'throttled', afterMs: retryAfterMs(headers, THROTTLED_MS_FALLBACK) }
    case 400:
    case 413:
    case 422:
      return { kind: 'rejected', code: `http-${status}`, reason: `Shopify refuses the request with status ${status}` }
    default:
      if (status >= 300 && status < 500)
        return { kind: 'unavailable', error: unsuitable(`the store answered ${status}: check \`url\``) }
      return doubtful(writes, `status ${status}`)
  }
}

/** A read changes nothing, however it ended. */
function doubtful(writes: boolean, what: string): Outcome {
  return { kind: writes ? 'unknown' : 'unavailable', error: unreachable(`the store answered with ${what}`) }
}

function failed(outcome: Outcome): Reply {
  return { kind: 'failed', outcome }
}

function unreachable(message: string): TributaryError {
  return new TributaryError('destination-unreachable', message)
}

function unsuitable(message: string): TributaryError {
  return new TributaryError('destination-unsuitable', message)
}
