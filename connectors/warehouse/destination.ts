import { TributaryError } from '../../schemas/errors.ts'
import { BatchRefused, type Destination, type EntityMapping, type Outcome, type Patch } from '../destination.ts'
import { type BatchPlan, batchOutcomes, type Present, planBatch, planLookUp } from './batch.ts'
import { classify, type Failure, withoutValues } from './classify.ts'
import { withDeadline } from './deadline.ts'
import { previewPatch } from './preview.ts'
import { planWarehouse, provisionWarehouse } from './provision.ts'
import { readKeys, readRow } from './read.ts'
import { openSession, type Session } from './session.ts'
import { SessionPool } from './session-pool.ts'
import { StatementTexts } from './statement-texts.ts'
import { resolveTables, type Table } from './tables.ts'
import { TransactionFailed, transact } from './transaction.ts'

export interface WarehouseOptions {
  /** The subscriber's name; shows in `pg_stat_activity` as `tributary/<name>`. */
  readonly name: string
  /** `postgres://user:password@host:port/database`, to the server itself and not to a pooler in transaction mode. */
  readonly url: string
  /** The schema that all tables of this subscriber are in; one subscriber a schema. */
  readonly schema: string
  readonly mappings: readonly EntityMapping[]
  /** The most connections, and with it the most batches at one time. */
  readonly connections: number
  /** The most time for one statement, in milliseconds; a batch gets twice as much. */
  readonly statementTimeoutMs?: number
}

const STATEMENT_TIMEOUT_MS = 30_000
const BATCH_MAX = 1000
/** After how long a batch that found too many others waiting should come again. */
const CROWDED_AFTER_MS = 250

/**
 * A PostgreSQL database as a subscriber: a table an entity, with the record key and the version of every row, one transaction a batch.
 * Every change is conditional on the version, so a former owner that was frozen cannot put an old value over a new one (G3).
 *
 * Deletes: `hard` removes the row and keeps key and version in the guard table; `archive` moves it, guard as well; `soft` marks it, and
 * marks a row of nulls where there is none, so that an older upsert that lands later stays without effect; `ignore` leaves the row but gives
 * it the delete's version, so that it agrees with the ledger. Which of two policies it is under a condition is decided at one moment
 * inside of the delete's transaction. Guard rows are never removed by tributary; rows whose `deleted_at` is
 * longer ago than `delete.retention.ms` and the longest republication may be deleted by hand.
 *
 * Refused as a whole (BatchRefused): SQLSTATE classes of data, constraints and limits; its code is the SQLSTATE.
 */
export function createWarehouse(options: WarehouseOptions): Destination {
  const { schema } = options
  const tables = resolveTables(schema, options.mappings)
  const texts = new Map([...tables].map(([target, table]) => [target, new StatementTexts(table)]))
  const statementTimeoutMs = options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS
  const lateRequestMs = 2 * statementTimeoutMs
  const pool = new SessionPool(options.connections, () =>
    openSession({ url: options.url, applicationName: `tributary/${options.name}`, statementTimeoutMs }),
  )
  const administer = async <T>(
    work: (session: Session, signal: AbortSignal) => Promise<T>,
    asked?: AbortSignal,
  ): Promise<T> => {
    try {
      return await withDeadline(lateRequestMs, asked, (signal) => pool.lend(signal, (session) => work(session, signal)))
    } catch (error) {
      throw named(options.name, administrationError(failureOf(error)))
    }
  }
  const look = <T>(signal: AbortSignal, question: (session: Session) => Promise<T>): Promise<T> =>
    administer((session, limited) => transact(session, limited, 'READ ONLY', () => question(session)), signal)
  const tableOf = (mapping: EntityMapping): Table => {
    const table = tables.get(mapping.target)
    if (table === undefined) throw unmapped(mapping)
    return table
  }
  const plan = () => administer((session, signal) => planWarehouse(session, signal, schema, tables))

  return {
    comparesVersions: true,
    lateRequestMs,
    batchMax: BATCH_MAX,
    plan,
    provision: () => administer((session, signal) => provisionWarehouse(session, signal, schema, tables)),
    check: async () => {
      const missing = await plan()
      if (missing.length > 0)
        throw new TributaryError(
          'destination-unsuitable',
          `subscriber "${options.name}" is not provisioned; run \`tributary provision\`, which does:\n${missing.map((step) => `- ${step}`).join('\n')}`,
        )
    },
    apply: async (mapping, patches, signal) => {
      if (patches.length > BATCH_MAX) throw new BatchRefused('batch-too-large', `more than ${BATCH_MAX} patches`)
      if (new Set(patches.map(({ key }) => key)).size < patches.length)
        throw new BatchRefused('key-repeated', 'two patches of one key in a batch')
      const table = tables.get(mapping.target)
      if (table === undefined) return same(patches, { kind: 'unavailable', error: unmapped(mapping) })
      const batch = planBatch(table, texts.get(mapping.target)!, patches)
      if (batch.statements.length === 0) return batchOutcomes(table, patches, batch, new Set(), new Map())
      if (pool.crowded) return same(patches, { kind: 'throttled', afterMs: CROWDED_AFTER_MS })
      try {
        return await withDeadline(lateRequestMs, signal, (limited) =>
          pool.lend(limited, (session) =>
            transact(session, limited, 'READ WRITE', () => applyBatch(session, table, patches, batch)),
          ),
        )
      } catch (error) {
        const failure = failureOf(error)
        if (failure.kind === 'refused') {
          const { code, reason, blockedBy } = failure
          throw new BatchRefused(code, reason, { cause: withoutValues(rootOf(error)), blockedBy })
        }
        return patches.map((_, index) => batch.rejected.get(index) ?? failure)
      }
    },
    preview: (mapping, patch) => previewPatch(tableOf(mapping), patch),
    read: async (mapping, key, signal) => {
      const table = tableOf(mapping)
      return await look(signal, (session) => readRow(session, table, key))
    },
    keys: async function* (mapping, signal) {
      const table = tableOf(mapping)
      let after: string | null = null
      for (;;) {
        const last: string | null = after
        // No session is kept while the caller works on a page.
        const keys: readonly string[] = await look(signal, (session) => readKeys(session, table, last))
        if (keys.length === 0) return
        yield keys
        after = keys.at(-1)!
      }
    },
    close: () => pool.close(),
  }
}

/** Sends a planned batch inside the open transaction and reads its outcomes. */
async function applyBatch(
  session: Session,
  table: Table,
  patches: readonly Patch[],
  plan: BatchPlan,
): Promise<readonly Outcome[]> {
  const answers = await Promise.all(
    plan.statements.map(({ text, parameters, prepared }) => session.query(text, parameters, prepared)),
  )
  const applied = new Set<string>()
  for (const [at, rows] of answers.entries())
    if (plan.statements[at]!.answersKeys) for (const row of rows) applied.add(row[0]!)
  const lookUp = planLookUp(table, patches, plan, applied)
  const present = new Map<string, Present>()
  if (lookUp !== undefined) {
    const rows = await session.query(lookUp.text, lookUp.parameters, lookUp.prepared)
    for (const [key, version, markedDeleted, guardVersion] of rows)
      present.set(key!, { version: version!, markedDeleted: markedDeleted === 'true', guardVersion: guardVersion! })
  }
  return batchOutcomes(table, patches, plan, applied, present)
}

function failureOf(error: unknown): Failure {
  return classify(rootOf(error), error instanceof TransactionFailed && error.commitSent)
}

function rootOf(error: unknown): unknown {
  return error instanceof TransactionFailed ? error.cause : error
}

function administrationError(failure: Failure): TributaryError {
  switch (failure.kind) {
    case 'unavailable':
    case 'unknown':
      return failure.error
    case 'conflict':
      return new TributaryError(
        'destination-unreachable',
        'the warehouse was changed by someone else meanwhile; try again',
      )
    case 'refused':
      return new TributaryError(
        'destination-unsuitable',
        `the warehouse refuses what it was asked: SQLSTATE ${failure.code}, ${failure.reason}; see its server log`,
      )
  }
}

/** A person has several subscribers, and the error of one says which. */
function named(name: string, error: TributaryError): TributaryError {
  return new TributaryError(error.code, `subscriber "${name}": ${error.message}`, { cause: error.cause })
}

function unmapped(mapping: EntityMapping): TributaryError {
  return new TributaryError(
    'invariant-broken',
    `the warehouse was asked about ${mapping.target}, which none of its mappings has`,
  )
}

function same(patches: readonly Patch[], outcome: Outcome): readonly Outcome[] {
  return patches.map(() => outcome)
}
