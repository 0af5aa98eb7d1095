import { TributaryError } from '../../schemas/errors.ts'
import type { EntityMapping, Outcome } from '../destination.ts'
import { type HttpAnswer, retryAfterMs } from './client.ts'
import { fieldsNamedIn, verdictOf } from './statuses.ts'

/** How long to wait where a 429 does not say. */
const THROTTLED_MS = 1_000
const ETAG = /^"[\x21\x23-\x7e]{0,254}"$/

/** A weak one says only that what is shown is alike, and does not match in `If-Match` (RFC 9110, 13.1.1). */
export function tagOf({ headers }: HttpAnswer): string | null {
  return headers.etag !== undefined && ETAG.test(headers.etag) ? headers.etag : null
}

/** What an answer to a write means for its patch. */
export function outcomeOf(name: string, method: string, answer: HttpAnswer, mapping: EntityMapping): Outcome {
  const verdict = verdictOf(answer)
  const { status } = answer
  const code = `status-${status}`
  switch (verdict) {
    case 'applied': {
      const tag = tagOf(answer)
      return tag === null ? { kind: 'applied' } : { kind: 'applied', tag }
    }
    case 'newer':
    case 'conflict':
      return { kind: verdict }
    case 'throttled':
      return { kind: 'throttled', afterMs: retryAfterMs(answer.headers, THROTTLED_MS) }
    case 'blocked':
      return {
        kind: 'blocked',
        by: '',
        code,
        reason: `${method} is answered ${status}: another object stands in its way`,
      }
    case 'unavailable':
      return { kind: 'unavailable', error: unreachable(name, method, status, HINTS[status]) }
    case 'unknown':
      return { kind: 'unknown', error: unreachable(name, method, status) }
    case 'needs-tag':
    case 'missing':
    case 'unsuitable':
      return {
        kind: 'unavailable',
        error: unsuitable(name, `${method} is answered ${status}: ${HINTS[status] ?? HINT}`),
      }
    case 'rejected': {
      const names = fieldsNamedIn(
        answer.body,
        mapping.fields.map(({ to }) => to),
      )
      const fields = names.length > 0 ? `; it names ${names.join(', ')}` : ''
      return { kind: 'rejected', code, reason: `${method} is answered ${status}${fields}` }
    }
  }
}

const HINT = 'no record is at fault; see what this status means there'
const IN_BETWEEN = 'something in between does not know where it is; check the address and the gateway'
const HINTS: Readonly<Record<number, string>> = {
  301: 'it has moved; declare its new address',
  302: 'it leads elsewhere, which is not followed; check the address and the `headers`',
  307: 'it leads elsewhere, which is not followed; declare that address',
  308: 'it has moved; declare its new address',
  401: 'it refuses the credentials; check the `headers` and `secrets`',
  403: 'the credentials are good but not for this; give them the right to write',
  404: IN_BETWEEN,
  405: 'this method is not taken here; objects have to be changed by PATCH, made by PUT (or POST) and removed by DELETE',
  410: IN_BETWEEN,
  415: 'it does not take application/merge-patch+json',
  428: 'it changes nothing without an ETag, and gives none',
}

/** A person has to see to it. */
export function unsuitable(name: string, reason: string): TributaryError {
  return new TributaryError('destination-unsuitable', `subscriber "${name}": ${reason}`, { cause: new Error(reason) })
}

export function unreachable(name: string, method: string, status: number, hint?: string): TributaryError {
  const cause = new Error(`status ${status}`)
  return new TributaryError(
    'destination-unreachable',
    `subscriber "${name}" answers ${method} with ${status}${hint === undefined ? '' : `: ${hint}`}`,
    { cause },
  )
}
