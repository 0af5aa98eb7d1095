import { TributaryError } from '../../schemas/errors.ts'
import type { EntityMapping, Outcome, Upsert } from '../destination.ts'
import { type Json, parseExact } from '../exact-json.ts'
import { type HttpAnswer, retryAfterMs } from '../http/client.ts'
import {
  type Addressed,
  hitsAll,
  LIMIT_AFTER_MS,
  readErrors,
  recordOutcome,
  unavailable,
  type VendorError,
} from './vendor-errors.ts'

/** What the answer to a whole request means, before its items are looked at. */
export type Verdict =
  | { readonly kind: 'answered'; readonly body: Json }
  /** The request was refused for what it holds, and nothing of it was applied. */
  | { readonly kind: 'refused'; readonly errors: readonly VendorError[] }
  /** The same for every record in it. */
  | { readonly kind: 'all'; readonly outcome: Outcome }

/** Decides by status and code ("Status Codes and Error Responses"). Total: whatever came. */
export function verdictOf(answer: HttpAnswer): Verdict {
  const { status, headers } = answer
  const body = bodyOf(answer)
  const errors = readErrors(body)
  const codes = errors.map(({ code }) => code)
  if (status === 204) return { kind: 'answered', body: null }
  if (status === 200 || status === 201)
    return body === undefined
      ? all({ kind: 'unknown', error: unavailable(`Salesforce answers ${status} with what is not JSON`) })
      : { kind: 'answered', body }
  if (status === 300) return { kind: 'refused', errors: [{ code: 'MULTIPLE_CHOICES', message: '', fields: [] }] }
  if (status === 429 || codes.includes('REQUEST_LIMIT_EXCEEDED'))
    return all({ kind: 'throttled', afterMs: retryAfterMs(headers, LIMIT_AFTER_MS) })
  // Something in between gives it too, also when the connection broke after it had passed the request on.
  if (status === 503 && headers['retry-after'] !== undefined)
    return all({ kind: 'throttled', afterMs: retryAfterMs(headers, LIMIT_AFTER_MS) })
  if (status === 503 && codes.includes('SERVER_UNAVAILABLE'))
    return all({ kind: 'unavailable', error: unavailable('Salesforce answers 503 SERVER_UNAVAILABLE') })
  if (status >= 500) return all({ kind: 'unknown', error: unavailable(`Salesforce answers ${status}`) })
  if (status === 404)
    return { kind: 'refused', errors: errors.length > 0 ? errors : [{ code: 'NOT_FOUND', message: '', fields: [] }] }
  if (status === 413 || status === 414 || status === 431)
    return { kind: 'refused', errors: [{ code: 'REQUEST_TOO_LARGE', message: '', fields: [] }] }
  if (status === 409 || status === 412 || status === 428) return all({ kind: 'conflict' })
  if (status === 400 && errors.length > 0) return { kind: 'refused', errors }
  // A right to this one record, which its owner or sharing rules decide.
  if (status === 403 && codes[0]?.startsWith('INSUFFICIENT_ACCESS_O')) return { kind: 'refused', errors }
  // A right that the whole app lacks, a redirect, a page of something that stands between: never the record's fault.
  return all({
    kind: 'unavailable',
    error: new TributaryError(
      status === 403 ? 'destination-unsuitable' : 'destination-unreachable',
      `Salesforce answers ${[status, ...codes.slice(0, 1)].join(' ')}`,
    ),
  })
}

/** The outcome of every record of a request that was refused and will not be split; null where a culprit may be found by splitting. */
export function refusalOf(
  errors: readonly VendorError[],
  records: readonly Upsert['fields'][],
  mapping: EntityMapping,
  addressed: Addressed,
): Outcome | null {
  if (records.length > 1 && !errors.some(hitsAll)) return null
  return recordOutcome(errors, mapping, records[0] ?? {}, addressed)
}

/**
 * Reads the answer of a collection request: HTTP 200 even when records fail ("Using sObject Collections").
 * @returns one outcome a record, in order
 */
export function itemOutcomes(
  body: Json,
  records: readonly Upsert['fields'][],
  mapping: EntityMapping,
  addressed: Addressed,
): readonly Outcome[] {
  if (!Array.isArray(body) || body.length !== records.length) {
    const error = unavailable('Salesforce answers a collection with another number of results than it has records')
    return records.map(() => ({ kind: 'unknown', error }))
  }
  return body.map((item: Json, at) => {
    const { success, errors } = (item ?? {}) as { success?: unknown; errors?: unknown }
    if (success === true) return { kind: 'applied' }
    return recordOutcome(readErrors(errors), mapping, records[at]!, addressed)
  })
}

/** undefined where it is not JSON: the status says the rest. */
function bodyOf({ body }: HttpAnswer): Json | undefined {
  return parseExact(body.toString('utf8'))
}

function all(outcome: Outcome): Verdict {
  return { kind: 'all', outcome }
}
