import { createHash } from 'node:crypto'
import { validateHeaderName, validateHeaderValue } from 'node:http'
import { TributaryError } from '../../schemas/errors.ts'
import type { Value } from '../../schemas/field-type.ts'
import { formatVersion } from '../../schemas/version.ts'
import type { EntityMapping, Outcome, Patch } from '../destination.ts'
import type { HttpRequest } from './client.ts'
import { jsonText } from './json-values.ts'

/** A request for one object, before it is signed and sent. */
export interface ObjectRequest {
  readonly method: HttpRequest['method']
  /** From the base URL on. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** Empty for none. */
  readonly body: string
}

/** `If-Match` of whatever there is. */
const ANY = '*'
const MERGE_PATCH = 'application/merge-patch+json'

/**
 * Merges fields into an object (RFC 7396): null clears, what is not named stays. Some servers make an object by PATCH where there is none: what
 * is only part of one asks for any there is (RFC 9110, 13.1.1).
 */
export function mergeRequest(path: string, body: string, tag: string | null, full: boolean): ObjectRequest {
  const match = tag ?? (full ? null : ANY)
  return {
    method: 'PATCH',
    path,
    headers: { 'content-type': MERGE_PATCH, ...(match === null ? {} : { 'if-match': match }) },
    body,
  }
}

/** Makes an object where there is none: RFC 9110, `If-None-Match: *`. With POST the collection's own rules decide. */
export function createRequest(method: 'PUT' | 'POST', path: string, body: string): ObjectRequest {
  const condition = method === 'PUT' ? { 'if-none-match': '*' } : undefined
  return { method, path, headers: { 'content-type': 'application/json', ...condition }, body }
}

export function deleteRequest(path: string, tag: string | null): ObjectRequest {
  return { method: 'DELETE', path, headers: tag === null ? {} : { 'if-match': tag }, body: '' }
}

export function readRequest(path: string): ObjectRequest {
  return { method: 'GET', path, headers: {}, body: '' }
}

type Body = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly outcome: Outcome }

/**
 * Destination fields as a JSON object.
 * @param nulls whether fields that are null are named: they clear in a patch, and are left out of what is made anew, as RFC 7396 has it
 */
export function objectText(mapping: EntityMapping, fields: Readonly<Record<string, Value>>, nulls: boolean): Body {
  const members: string[] = []
  for (const { to, type } of mapping.fields) {
    const value = fields[to]
    if (value === undefined || (value === null && !nulls)) continue
    const written = jsonText(type, value)
    if (!written.ok)
      return { ok: false, outcome: { kind: 'rejected', code: written.code, reason: `${to}: ${written.reason}` } }
    members.push(`${JSON.stringify(to)}:${written.text}`)
  }
  return { ok: true, text: `{${members.join(',')}}` }
}

const digest = (...parts: readonly string[]) => createHash('sha256').update(JSON.stringify(parts)).digest('hex')

/**
 * What a receiver can know a change by: `tributary-id` is the same for every request of this change, `tributary-version` is
 * `epoch/position/ordinal`, to be compared part by part as numbers; `idempotency-key` is that of this request.
 * @param nonce makes the idempotency key one of its own; null for one that is the same whenever the same request is sent
 */
export function changeHeaders(
  entity: string,
  patch: Patch,
  { method, body }: Pick<ObjectRequest, 'method' | 'body'>,
  nonce: string | null,
): { readonly 'tributary-id': string; readonly 'tributary-version': string; readonly 'idempotency-key': string } {
  const version = formatVersion(patch.version)
  const request = digest(entity, patch.key, version, method, body)
  return {
    'tributary-id': digest(entity, patch.key, version).slice(0, 32),
    'tributary-version': version,
    'idempotency-key': digest(request, nonce ?? '').slice(0, 32),
  }
}

/** What requests say themselves, or node does. */
const OWN_HEADERS =
  /^(tributary-.*|webhook-.*|idempotency-key|if-.*|content-.*|accept-encoding|host|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect)$/i

/** @throws TributaryError `declaration-invalid`, without the value */
export function checkHeaders(headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) {
    if (OWN_HEADERS.test(name))
      throw new TributaryError('declaration-invalid', `the header ${name} is set by tributary itself`)
    try {
      validateHeaderName(name)
      validateHeaderValue(name, value)
    } catch {
      // Node's own error is of no more help, and some hold the value.
      throw new TributaryError('declaration-invalid', `the header ${JSON.stringify(name)} cannot be sent`)
    }
  }
}
