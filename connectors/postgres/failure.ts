import { type ErrorCode, TributaryError } from '../../schemas/errors.ts'

/** What the `postgres` package throws: the server's fields, or a connection's code. */
interface Raised {
  readonly code?: unknown
  readonly message?: unknown
  readonly hint?: unknown
}

/** SQLSTATEs (or their first two characters) → what they mean here. What is not listed may pass, so it is retried. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  '28': 'source-unsuitable', // authentication
  '3D': 'source-unsuitable', // no such database
  '42': 'source-unsuitable', // no right, no such object
  '0A': 'source-unsuitable', // not supported
  '22': 'source-unsuitable', // a value that a cast refuses
  '53400': 'source-unsuitable', // max_replication_slots is reached
  '55000': 'source-unsuitable', // such as wal_level
  '55006': 'slot-in-use',
  '58P01': 'slot-lost', // a log file that was removed
}

/**
 * An error of PostgreSQL or of its connection as one of ours.
 * @param doing what was tried, such as `reading the slot "x"`
 */
export function failure(doing: string, cause: unknown): TributaryError {
  if (cause instanceof TributaryError) return cause
  const raised: Raised = typeof cause === 'object' && cause !== null ? cause : { message: String(cause) }
  const state = typeof raised.code === 'string' ? raised.code : ''
  // A code of the connection (ECONNREFUSED, CONNECTION_CLOSED) is not five characters of a SQLSTATE; a class 22 text quotes values.
  const isState = /^[0-9A-Z]{5}$/.test(state)
  const code: ErrorCode = (isState && (CODES[state] ?? CODES[state.slice(0, 2)])) || 'source-unreachable'
  const text = state.startsWith('22')
    ? `error ${state}`
    : `${String(raised.message ?? 'no reason given')}${state ? ` (${state})` : ''}`
  const hint = typeof raised.hint === 'string' && isState ? ` Hint: ${raised.hint}` : ''
  return new TributaryError(code, `PostgreSQL, while ${doing}: ${text}.${hint}`, { cause: withoutValues(text, state) })
}

/** The original error carries the query's parameters and details that quote rows; what is kept as a cause must not. */
function withoutValues(text: string, code: string): Error {
  const plain = new Error(text)
  plain.name = 'PostgresError'
  return Object.assign(plain, { code })
}
