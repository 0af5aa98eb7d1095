import { TributaryError } from '../../schemas/errors.ts'
import { type TlsFields, tlsFault } from '../../schemas/tls.ts'

/** How Redis begins to say that a user, a password or a right is wrong. */
const REFUSED = /^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR invalid password)/
const FIELDS: TlsFields = { ca: 'redis.ca', client: 'redis.cert and redis.key' }
/** It is full, or its disk is. From within a script the words come behind others. */
const TAKES_NO_WRITES = /\b(OOM|MISCONF)\b.{0,80}/

/**
 * What a command to Redis failed for, in our words.
 * @param lastReason why the connection failed last: a command then only says that there is none
 * @param address host and port, for the message
 */
export function ledgerError(cause: unknown, lastReason: Error | null, address: string): TributaryError {
  if (cause instanceof TributaryError) return cause
  const reason = REFUSED.test((cause as Error).message) ? (cause as Error) : (lastReason ?? (cause as Error))
  if (REFUSED.test(reason.message))
    return new TributaryError(
      'ledger-unsuitable',
      `Redis at ${address} refuses: ${reason.message}. Check the user and the password in redis.url or beside it, and their rights.`,
      { cause },
    )
  const fault = tlsFault(reason, FIELDS)
  if (fault !== undefined)
    return new TributaryError('ledger-unsuitable', `Redis at ${address} ${fault.reason}. ${fault.advice}.`, { cause })
  const refusal = TAKES_NO_WRITES.exec((cause as Error).message)?.[0]
  if (refusal !== undefined)
    return new TributaryError(
      'ledger-unreachable',
      `Redis at ${address} takes no writes (${refusal}). Give it memory (maxmemory) or disk; delivery goes on by itself.`,
      { cause },
    )
  return new TributaryError(
    'ledger-unreachable',
    `Redis at ${address} does not answer (${reason.message.replace(/\.$/, '')}). Check redis.url and that Redis runs.`,
    { cause },
  )
}

/** A Redis that was asked in plain text and speaks TLS. */
export function plainToTls(cause: unknown, address: string): TributaryError {
  const text = `Redis at ${address} speaks TLS. Write \`rediss://\` in redis.url.`
  return new TributaryError('ledger-unsuitable', text, { cause })
}
