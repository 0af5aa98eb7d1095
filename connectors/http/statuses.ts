import type { HttpAnswer } from './client.ts'

/** What an answer to a write means. */
export type Verdict =
  | 'applied'
  /** There is no such object. */
  | 'missing'
  | 'newer'
  /** Someone else changed it meanwhile. */
  | 'conflict'
  /** It changes nothing without an ETag (RFC 6585, 428). */
  | 'needs-tag'
  | 'blocked'
  | 'throttled'
  /** Surely not applied, and no record is at fault. */
  | 'unavailable'
  /** As before, and a person has to see to it. */
  | 'unsuitable'
  | 'unknown'
  | 'rejected'

/** RFC 9110, section 15, but for what is named beside it. Others: 2xx are applied, 3xx unsuitable, 4xx rejected, 5xx unknown. */
const STATUSES: Readonly<Record<number, Verdict>> = {
  401: 'unsuitable',
  402: 'unsuitable',
  // It cannot be told from a record that this sender may not touch; giving all of them up would be worse than waiting with all of them.
  403: 'unsuitable',
  404: 'missing',
  405: 'unsuitable',
  406: 'unsuitable',
  407: 'unsuitable',
  // Nobody tells how much of the request had come in.
  408: 'unknown',
  // Most often a unique value that another object still holds.
  409: 'blocked',
  410: 'missing',
  411: 'unsuitable',
  412: 'conflict',
  // No merge patch is taken here.
  415: 'unsuitable',
  421: 'unsuitable',
  // RFC 4918: locked, and failed because of another.
  423: 'blocked',
  424: 'blocked',
  425: 'unavailable',
  426: 'unsuitable',
  428: 'needs-tag',
  429: 'throttled',
  501: 'unsuitable',
  505: 'unsuitable',
  // RFC 4918: insufficient storage.
  507: 'unavailable',
  511: 'unavailable',
}

/** A header by which a receiver that compares versions tells that it holds a newer one: `tributary-outcome: newer`, with 409 or 412. */
export const OUTCOME_HEADER = 'tributary-outcome'

export function verdictOf({ status, headers, body }: HttpAnswer): Verdict {
  if ((status === 409 || status === 412) && headers[OUTCOME_HEADER] === 'newer') return 'newer'
  // Something in between gives it too, also when the connection broke after it had passed the request on.
  if (status === 503) return headers['retry-after'] === undefined ? 'unknown' : 'throttled'
  const known = STATUSES[status]
  // Something in between that knows no way to the API: it says nothing of an object.
  if (known === 'missing' && isPage(headers['content-type'] ?? '', body)) return 'unavailable'
  if (known !== undefined) return known
  if (status >= 200 && status < 300) return 'applied'
  if (status >= 400 && status < 500) return 'rejected'
  // Redirects are not followed: where they lead was not declared, and a signature would go along.
  return status < 400 ? 'unsuitable' : 'unknown'
}

function isPage(type: string, body: Buffer): boolean {
  return /html/i.test(type) || (type === '' && /^\s*</.test(body.toString('latin1', 0, 100)))
}

/** How ingress controllers (ingress-nginx, Traefik) say in plain text that they know no way. Some servers use these words themselves. */
const NO_WAY = /^(default backend - 404|404 page not found)\s*$/i

/** Whether an answer that an object is missing may be of something in between: not good enough to count a delete as done. */
export function isNoWay({ body }: HttpAnswer): boolean {
  return NO_WAY.test(body.toString('latin1', 0, 100))
}

const NODES_MAX = 1000

/**
 * Which of these names an answer in JSON speaks of, as RFC 9457's `pointer` and most others do, whatever its form. Never anything else of
 * the answer: it may repeat the values that it was sent.
 */
export function fieldsNamedIn(body: Buffer, names: readonly string[]): readonly string[] {
  const waiting: unknown[] = []
  try {
    waiting.push(JSON.parse(body.toString('utf8')))
  } catch {
    // Not JSON: it names none.
    return []
  }
  const found = new Set<string>()
  const meet = (text: string) => {
    const name = text.replace(/^(#?\/|\$\.)/, '')
    if (names.includes(name)) found.add(name)
  }
  for (let at = 0; at < waiting.length && at < NODES_MAX; at++) {
    const node = waiting[at]
    if (typeof node === 'string') meet(node)
    else if (typeof node === 'object' && node !== null) {
      if (!Array.isArray(node)) for (const key of Object.keys(node).slice(0, NODES_MAX)) meet(key)
      for (const child of Object.values(node).slice(0, NODES_MAX)) waiting.push(child)
    }
  }
  return [...found].sort()
}
