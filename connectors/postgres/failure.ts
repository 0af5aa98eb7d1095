import { type ErrorCode, TributaryError } from '../../schemas/errors.ts'
import { hungUpOnTls, tlsFault } from '../../schemas/tls.ts'
import { POSTGRES_TLS_FIELDS } from '../postgres-tls.ts'

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
}

/** What to do about what a server refuses at the door, where its own words do not say it. */
const ADVICE: Readonly<Record<string, string>> = {
  '28': "Check the user and the password in the source's url, and pg_hba.conf",
  '3D': "Check the database in the source's url",
  '42501': 'Grant the right to the user of the source',
  '55P03':
    'Someone else has a lock on it; it is tried again. pg_locks says who, and pg_terminate_backend ends a transaction that was forgotten',
  '53400': 'Raise max_replication_slots, or drop a slot that nobody reads',
}

/** SQLSTATEs of a server that has no room for one more: 53300 connections and senders of the log, 53400 replication slots. */
const NO_ROOM = ['53300', '53400']

/** Whether the server has no connection, sender of the log or slot left; what is there already goes on. */
export function isNoRoom(error: unknown): boolean {
  const cause = error instanceof TributaryError ? error.cause : error
  return NO_ROOM.includes(String((cause as { code?: unknown } | null | undefined)?.code))
}

/** The system's and the package's codes for a connection that did not come about. */
const CONNECTION_CODES = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|CONNECT_TIMEOUT)$/

/**
 * An error of PostgreSQL or of its connection as one of ours.
 * @param doing what was tried, such as `reading the slot "x"`
 */
export function failure(doing: string, thrown: unknown): TributaryError {
  if (thrown instanceof TributaryError) return thrown
  const raised: Raised = typeof thrown === 'object' && thrown !== null ? thrown : { message: String(thrown) }
  const state = typeof raised.code === 'string' ? raised.code : ''
  // A code of the connection (ECONNREFUSED, CONNECTION_CLOSED) is not five characters of a SQLSTATE; a class 22 text quotes values.
  const isState = /^[0-9A-Z]{5}$/.test(state)
  const code: ErrorCode = (isState && (CODES[state] ?? CODES[state.slice(0, 2)])) || 'source-unreachable'
  const text = state.startsWith('22')
    ? `error ${state}`
    : `${String(raised.message || state || 'no reason given')}${isState ? ` (${state})` : ''}`
  const cause = withoutValues(text, state)
  const fault = tlsFault(thrown, POSTGRES_TLS_FIELDS)
  if (fault !== undefined)
    return new TributaryError(
      'source-unsuitable',
      `PostgreSQL, while ${doing}: the server ${fault.reason}. ${fault.advice}.`,
      { cause },
    )
  if (hungUpOnTls(thrown))
    return new TributaryError(
      code,
      `PostgreSQL, while ${doing}: the server ended the connection before TLS was agreed. Check that it runs, and that it has \`ssl = on\`.`,
      { cause },
    )
  if (!isState && CONNECTION_CODES.test(state))
    return new TributaryError(
      code,
      `PostgreSQL does not answer (${text.replace(/^write /, '')}), while ${doing}. Check the source's url and that the server runs.`,
      { cause },
    )
  const hint = typeof raised.hint === 'string' && isState ? ` Hint: ${raised.hint}` : ''
  const advice = isState ? (ADVICE[state] ?? ADVICE[state.slice(0, 2)]) : undefined
  return new TributaryError(
    code,
    `PostgreSQL, while ${doing}: ${text}.${hint}${advice === undefined ? '' : ` ${advice}.`}`,
    { cause },
  )
}

/** The original error carries the query's parameters and details that quote rows; what is kept as a cause must not. */
function withoutValues(text: string, code: string): Error {
  const plain = new Error(text)
  plain.name = 'PostgresError'
  return Object.assign(plain, { code })
}
