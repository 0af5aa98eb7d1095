import { TributaryError } from '../../schemas/errors.ts'
import { tlsFault } from '../../schemas/tls.ts'
import { POSTGRES_TLS_FIELDS } from '../postgres-tls.ts'
import { conditionName } from './sqlstates.ts'

/** What a failed transaction means for the patches in it. None of its texts holds a value of a record. */
export type Failure =
  /** Some record in it is at fault; nothing was applied. */
  | {
      readonly kind: 'refused'
      readonly code: string
      readonly reason: string
      /** The table whose rows it waits for, '' for one that is not known; null when waiting does not help. */
      readonly blockedBy: string | null
    }
  /** It lost a race inside the server; nothing was applied. */
  | { readonly kind: 'conflict' }
  /** Nothing was applied, and no record is at fault. */
  | { readonly kind: 'unavailable'; readonly error: TributaryError }
  /** It may or may not have been applied. */
  | { readonly kind: 'unknown'; readonly error: TributaryError }

/** What an SQLSTATE says by itself, before the question whether COMMIT was sent. */
export type Verdict = 'refused' | 'conflict' | 'outage' | 'configuration' | 'unknown'

/** Single states that differ from their class. */
const STATES: Readonly<Record<string, Verdict>> = {
  // The server itself does not know how the transaction ended.
  '08007': 'unknown',
  '40003': 'unknown',
  // A deferred constraint found at COMMIT.
  '40002': 'refused',
  // A standby after a failover: the address leads to the wrong server for now.
  '25006': 'outage',
}

/** Every class of PostgreSQL's appendix A, so that a new one is a decision; what is not here is an {@link UNKNOWN_CLASS}. */
const CLASSES: Readonly<Record<string, Verdict>> = {
  // 00 to 03 are no errors; as an error they would be the server's fault.
  '00': 'outage',
  '01': 'outage',
  '02': 'outage',
  '03': 'outage',
  '08': 'outage',
  // Raised by triggers and rules of the destination's owner: they look at the record.
  '09': 'refused',
  '0A': 'outage',
  '0B': 'outage',
  '0F': 'outage',
  '0L': 'configuration',
  '0P': 'configuration',
  '0Z': 'outage',
  '10': 'refused',
  '20': 'refused',
  // Two patches of one key in a batch, or a trigger's subquery: splitting finds it.
  '21': 'refused',
  // The values.
  '22': 'refused',
  // A rule of the table.
  '23': 'refused',
  '24': 'outage',
  '25': 'outage',
  '26': 'outage',
  '27': 'refused',
  '28': 'configuration',
  '2B': 'configuration',
  '2D': 'outage',
  '2F': 'refused',
  '34': 'outage',
  '38': 'refused',
  '39': 'refused',
  '3B': 'outage',
  '3D': 'configuration',
  '3F': 'configuration',
  '40': 'conflict',
  // No statement text holds a value, so what is wrong with a text, a name, a type or a right is wrong for every record.
  '42': 'configuration',
  // A view's WITH CHECK OPTION.
  '44': 'refused',
  '53': 'outage',
  // Too large: a key beyond an index entry (about 2,700 bytes), a row beyond a page.
  '54': 'refused',
  '55': 'outage',
  '57': 'outage',
  '58': 'outage',
  '72': 'outage',
  F0: 'configuration',
  HV: 'outage',
  P0: 'refused',
  XX: 'outage',
}

/** Never blame a record for what is not understood: it would be dead-lettered, an outage is retried. */
const UNKNOWN_CLASS: Verdict = 'outage'

export function verdictOf(sqlstate: string): Verdict {
  return STATES[sqlstate] ?? CLASSES[sqlstate.slice(0, 2)] ?? UNKNOWN_CLASS
}

/** An error of the server, without its message, detail and context, which can hold values. */
interface ServerError {
  readonly sqlstate: string
  readonly severity: string
  readonly table: string | undefined
  readonly column: string | undefined
  readonly constraint: string | undefined
}

/**
 * Decides what a failed transaction means. Total: whatever was thrown.
 * @param error what the `postgres` package, the network or a defect threw
 * @param commitSent whether COMMIT may have reached the server: from then on a lost connection says nothing
 */
export function classify(error: unknown, commitSent: boolean): Failure {
  if (error instanceof TributaryError) return commitSent ? { kind: 'unknown', error } : { kind: 'unavailable', error }
  const server = serverError(error)
  if (server === undefined) {
    const code = codeOf(error)
    const cause = withoutValues(error)
    const fault = tlsFault(error, POSTGRES_TLS_FIELDS)
    if (fault !== undefined) {
      const text = `the warehouse ${fault.reason}. ${fault.advice}`
      return { kind: 'unavailable', error: new TributaryError('destination-unsuitable', text, { cause }) }
    }
    const failure =
      code === undefined
        ? new TributaryError('invariant-broken', `a batch for the warehouse failed with ${cause.name}; report it`, {
            cause,
          })
        : new TributaryError(
            'destination-unreachable',
            `the warehouse does not answer (${code}); check its address and that it runs`,
            { cause },
          )
    return { kind: commitSent ? 'unknown' : 'unavailable', error: failure }
  }
  const verdict = verdictOf(server.sqlstate)
  // An ERROR in answer to COMMIT means it was rolled back. A FATAL one can come after the commit, while it waits for a standby.
  if (verdict === 'unknown' || (commitSent && server.severity !== 'ERROR'))
    return { kind: 'unknown', error: outage('destination-unreachable', server, error) }
  switch (verdict) {
    case 'refused':
      return {
        kind: 'refused',
        code: server.sqlstate,
        reason: describe(server),
        blockedBy: blockedBy(server.sqlstate, error),
      }
    case 'conflict':
      return { kind: 'conflict' }
    case 'outage':
      return { kind: 'unavailable', error: outage('destination-unreachable', server, error) }
    case 'configuration':
      return { kind: 'unavailable', error: outage('destination-unsuitable', server, error) }
  }
}

const FOREIGN_KEY = '23503'
/** A unique value may be moving from one key to another, and an exclusion is the same for ranges. */
const TAKEN = new Set(['23505', '23P01'])
/** The other table is the last that the detail names, in whatever language; what is before it holds values. */
const OTHER_TABLE = /"([^"]{1,63})"[^"]*$/

/** What a refused row waits for: its parent, or, when it is a parent that goes, its children. */
function blockedBy(sqlstate: string, error: unknown): string | null {
  if (TAKEN.has(sqlstate)) return ''
  if (sqlstate !== FOREIGN_KEY) return null
  const detail: unknown = error instanceof Error ? Reflect.get(error, 'detail') : undefined
  return (typeof detail === 'string' && OTHER_TABLE.exec(detail)?.[1]) || ''
}

/**
 * The error as one that may be logged and kept as a cause. The `postgres` package hangs the parameters on its errors and the
 * server quotes values in its messages, so only names and codes are taken over.
 */
export function withoutValues(error: unknown): Error {
  const server = serverError(error)
  const clean = new Error(
    server ? `SQLSTATE ${server.sqlstate}: ${describe(server)}` : (codeOf(error) ?? 'its message may hold values'),
  )
  clean.name = server ? 'PostgresError' : error instanceof Error ? error.name : 'Error'
  return clean
}

/** SQLSTATE classes that are about the address. */
const ADVICE: Readonly<Record<string, string>> = {
  '28': 'check the user and the password in its url, and pg_hba.conf',
  '3D': 'check the database in its url',
}

function outage(
  code: 'destination-unreachable' | 'destination-unsuitable',
  server: ServerError,
  error: unknown,
): TributaryError {
  const advice =
    code === 'destination-unsuitable'
      ? (ADVICE[server.sqlstate.slice(0, 2)] ??
        'run `tributary provision`, or put the right or the definition in order')
      : 'see its server log'
  return new TributaryError(
    code,
    `the warehouse answered SQLSTATE ${server.sqlstate}, ${describe(server)}; ${advice}`,
    { cause: withoutValues(error) },
  )
}

function describe(server: ServerError): string {
  const where = [
    server.table && `table ${server.table}`,
    server.column && `column ${server.column}`,
    server.constraint && `constraint ${server.constraint}`,
  ].filter(Boolean)
  const name = conditionName(server.sqlstate)
  return where.length === 0 ? name : `${name} (${where.join(', ')})`
}

function serverError(error: unknown): ServerError | undefined {
  if (!(error instanceof Error) || error.name !== 'PostgresError') return undefined
  const text = (name: string) => {
    const value: unknown = Reflect.get(error, name)
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  return {
    sqlstate: text('code') ?? 'XX000',
    severity: text('severity') ?? 'FATAL',
    table: text('table_name'),
    column: text('column_name'),
    constraint: text('constraint_name'),
  }
}

/** The code of a network or library error, such as ECONNREFUSED; undefined for a defect. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const code: unknown = Reflect.get(error, 'code')
  return typeof code === 'string' ? code : undefined
}
