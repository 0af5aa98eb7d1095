import { TributaryError } from '../../schemas/errors.ts'
import { unlessAborted } from '../unless-aborted.ts'

export interface Token {
  readonly value: string
  /** How long it is good, from when it was asked for; null when nobody says: until it is refused. */
  readonly forMs: number | null
}

/** A token for requests to one system, asked for when it is needed and again before it runs out. */
export interface TokenSource {
  /**
   * @throws TributaryError `destination-unreachable`, `destination-unsuitable` (the credentials are refused); what `ask` throws; the reason of
   * the signal
   */
  get(signal?: AbortSignal): Promise<string>
  /** The system refused it: the next {@link get} asks for another, unless somebody already has. */
  refused(token: string): void
}

/** A token is renewed when this share of its time is over, so that no request travels with one that runs out on the way. */
const RENEW_AT = 0.8

/**
 * @param ask asks the token endpoint once; the waiting of many is one request
 * @param now of a monotonic clock, in milliseconds
 */
export function createTokenSource(
  ask: (signal?: AbortSignal) => Promise<Token>,
  now: () => number = () => performance.now(),
): TokenSource {
  let held: { readonly token: string; readonly until: number } | null = null
  let asking: Promise<string> | null = null
  const renew = async (): Promise<string> => {
    const askedAt = now()
    // Not with the signal of one caller: others wait for the same answer. The endpoint's own time limit bounds it.
    const { value, forMs } = await ask()
    held = { token: value, until: forMs === null ? Number.POSITIVE_INFINITY : askedAt + forMs * RENEW_AT }
    return value
  }
  return {
    async get(signal) {
      signal?.throwIfAborted()
      if (held !== null && now() < held.until) return held.token
      if (asking === null) {
        asking = renew().finally(() => {
          asking = null
        })
        // Everyone who waits for it may have gone when it fails; whoever is left sees it below.
        asking.catch(() => {})
      }
      return signal === undefined ? await asking : await unlessAborted(asking, signal)
    },
    refused(token) {
      if (held?.token === token) held = null
    },
  }
}

/**
 * Reads the answer of an OAuth 2.0 token endpoint (RFC 6749, section 5).
 * @throws TributaryError `destination-unsuitable` when the credentials are refused, else `destination-unreachable`. Without what the endpoint
 * said in words: it may repeat what it was sent.
 */
export function tokenOf(
  status: number,
  body: Buffer,
  endpoint: string,
): Token & { readonly answer: Readonly<Record<string, unknown>> } {
  const answer = parsed(body)
  const { access_token: value, expires_in: seconds } = answer
  if (status === 200 && typeof value === 'string' && value !== '') {
    const forSeconds = Number(seconds ?? 0)
    // No time at all would mean a token for each request: it is used until it is refused.
    return { value, forMs: Number.isFinite(forSeconds) && forSeconds > 0 ? forSeconds * 1000 : null, answer }
  }
  const code =
    typeof answer.error === 'string' && /^[a-z_]{1,60}$/.test(answer.error) ? answer.error : `status ${status}`
  const refused = status === 400 || status === 401 || status === 403
  throw new TributaryError(
    refused ? 'destination-unsuitable' : 'destination-unreachable',
    refused
      ? `${endpoint} refuses the credentials (${code}): check the client id and secret of the declaration`
      : `${endpoint} gave no token (${code})`,
  )
}

function parsed(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    // What is not JSON is not a token, and the status says the rest.
    return {}
  }
}
