import { isObject, parseExact } from '../exact-json.ts'
import type { HttpAnswer } from '../http/client.ts'

/** Why a write was refused, or was not heard of again. */
export type Refusal =
  /** The object was changed since its ETag was read. */
  | 'changed'
  /** There is an object of that key already, and it was not to be changed. */
  | 'exists'
  /** The object is missing, or one that it refers to. */
  | 'missing'
  /** An object that it refers to is missing. */
  | 'reference'
  /** A unique value is held by another object. */
  | 'duplicate'
  | 'throttled'
  /** Everyone is refused: the credentials, the rights, the address or the declaration. */
  | 'everyone'
  /** It is down, and nothing was done. */
  | 'down'
  /** It failed, and may have been done. */
  | 'failed'
  /** The record is at fault. */
  | 'record'

export interface ODataError {
  readonly status: number
  /** The vendor's code; empty where it gives none. */
  readonly code: string
  /** What the vendor says, for deciding only: it may repeat values of the record, and is never passed on. */
  readonly message: string
  /** Whether the answer was an OData error at all, and not a page of something in between. */
  readonly isOData: boolean
  readonly isEmpty: boolean
  /** It tells when to come again. */
  readonly asksForRest: boolean
}

const CODE = /^[\w.:-]{1,100}$/

/** Reads an OData error (OData-JSON 4.0, section 19), with the inner error's message where there is one. */
export function errorOf({ status, headers, body }: HttpAnswer): ODataError {
  const json = parseExact(body.toString('utf8'))
  const error = isObject(json) ? json.error : undefined
  const isEmpty = body.length === 0
  const asksForRest = headers['retry-after'] !== undefined
  if (!isObject(error)) return { status, code: '', message: '', isOData: false, isEmpty, asksForRest }
  const inner = isObject(error.innererror) ? error.innererror : undefined
  const message = [error.message, inner?.message].filter((part) => typeof part === 'string').join('\n')
  const code = typeof error.code === 'string' && CODE.test(error.code) ? error.code : ''
  return { status, code, message, isOData: true, isEmpty, asksForRest }
}

/** What a status means where the vendor's code does not say more. */
export function refusalOfStatus({ status, isOData, asksForRest }: ODataError): Refusal {
  switch (status) {
    case 400:
    case 413:
    case 422:
      return 'record'
    case 401:
    case 403:
      return 'everyone'
    case 404:
      // A page of a proxy, or of a host that is no longer this system, does not say that one object is missing.
      return isOData ? 'missing' : 'everyone'
    case 408:
    case 500:
    case 502:
    case 504:
      return 'failed'
    case 409:
    case 412:
      return 'changed'
    case 429:
      return 'throttled'
    case 503:
      // Something in between gives it too, also when the connection broke after it had passed the request on.
      return asksForRest ? 'throttled' : 'failed'
    default:
      return status > 500 ? 'failed' : 'everyone'
  }
}
