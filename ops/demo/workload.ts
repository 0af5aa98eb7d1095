import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import postgres from 'postgres'
import { systemCode, TributaryError } from '../../schemas/errors.ts'
import { type Action, type Ground, WorkloadPlan } from './workload/plan.ts'
import { perform, type WorkloadChange } from './workload/transaction.ts'

export interface WorkloadOptions {
  /** Row changes a second, offered whether or not the database keeps up (an open loop). */
  readonly changesPerSecond: number
  readonly seed: number
  readonly signal: AbortSignal
  readonly connections?: number
  /** How long the database may be away before the workload gives up, in milliseconds. */
  readonly outageMaxMs?: number
  /** Called when the database goes away; the workload tries on until `outageMaxMs`. */
  readonly onOutage?: () => void
  /** Called for each row change when its transaction has committed. */
  readonly onChange?: (change: WorkloadChange & { readonly committedAtMs: number }) => void
}

export interface WorkloadSummary {
  readonly transactions: number
  /** Row changes committed. */
  readonly changes: number
  readonly changesByTable: Readonly<Record<WorkloadChange['table'], number>>
  /** Transactions that were rolled back on purpose. */
  readonly rolledBack: number
  /** Transactions that the database refused (a constraint or a deadlock). */
  readonly refused: number
  /** Row changes that were due and not offered, because too many transactions waited or the database was away. */
  readonly missed: number
  /** How often the database went away. */
  readonly outages: number
  readonly tookMs: number
}

const TICK_MS = 20
/** Transactions begun or waiting for a connection; what is due beyond it is missed, so memory stays bounded. */
const PENDING_MAX = 256
const PROBE_MS = 250
const STOP_MS = 2_000
const END_TIMEOUT_SECONDS = 0.5
const OUTAGE_MAX_MS = 60_000
const CONNECT_TIMEOUT_SECONDS = 5

/**
 * Business as usual on the demo's ERP until `signal` aborts: orders, stock, invoices, customers and prices, in transactions of one
 * to eight rows over several connections, with some rollbacks and deletes.
 * Rows that others deleted meanwhile are left out of the count. Which actions come is seeded; identities are not, so a second
 * run with the same seed works on the same database.
 * @throws TributaryError `source-unsuitable` without the demo's tables and rows, `source-unreachable` when the database is away for
 * longer than `outageMaxMs`
 */
export async function runWorkload(url: string, options: WorkloadOptions): Promise<WorkloadSummary> {
  const sql = postgres(url, {
    max: options.connections ?? 4,
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    backoff: () => PROBE_MS / 1_000,
    // Its own query for the array types: when the database goes away during it, that rejects where nobody listens, and the process ends.
    fetch_types: false,
    onnotice: () => {},
    connection: { application_name: 'demo-erp' },
  })
  try {
    return await new Workload(sql, await readGround(sql), options).run()
  } finally {
    await sql.end({ timeout: END_TIMEOUT_SECONDS })
  }
}

class Workload {
  readonly #sql: postgres.Sql
  readonly #plan: WorkloadPlan
  readonly #options: WorkloadOptions
  readonly #outageMaxMs: number
  readonly #pending = new Set<Promise<void>>()
  readonly #byTable: Record<WorkloadChange['table'], number> = {
    customers: 0,
    products: 0,
    stock_levels: 0,
    orders: 0,
    invoices: 0,
  }
  #transactions = 0
  #changes = 0
  #rolledBack = 0
  #refused = 0
  #missed = 0
  #outages = 0
  #awaySinceMs: number | null = null
  #answeredAtMs = performance.now()
  #failure: Error | null = null

  constructor(sql: postgres.Sql, ground: Ground, options: WorkloadOptions) {
    this.#sql = sql
    this.#plan = new WorkloadPlan(ground, options.seed, randomUUID)
    this.#options = options
    this.#outageMaxMs = options.outageMaxMs ?? OUTAGE_MAX_MS
  }

  async run(): Promise<WorkloadSummary> {
    const { signal, changesPerSecond } = this.#options
    const startedAtMs = performance.now()
    let offered = 0
    let probedAtMs = 0
    while (!signal.aborted && this.#failure === null) {
      const nowMs = performance.now()
      const due = ((nowMs - startedAtMs) * changesPerSecond) / 1_000
      while (offered < due && this.#failure === null) {
        const action = this.#plan.next()
        offered += action.changes
        const away = this.#awaySinceMs !== null
        if (this.#pending.size >= PENDING_MAX || (away && nowMs - probedAtMs < PROBE_MS)) {
          this.#missed += action.changes
          this.#plan.settle(action, 'undone')
        } else {
          if (away) probedAtMs = nowMs
          this.#start(action)
        }
      }
      this.#checkSilence(nowMs)
      await wait(TICK_MS, undefined, { signal }).catch(ignoreAbort)
    }
    await this.#drain()
    if (this.#failure) throw this.#failure
    return {
      transactions: this.#transactions,
      changes: this.#changes,
      changesByTable: this.#byTable,
      rolledBack: this.#rolledBack,
      refused: this.#refused,
      missed: this.#missed,
      outages: this.#outages,
      tookMs: Math.round(performance.now() - startedAtMs),
    }
  }

  /** A database that takes connections and answers nothing is away, too. */
  #checkSilence(nowMs: number): void {
    if (this.#pending.size === 0) this.#answeredAtMs = nowMs
    else if (nowMs - this.#answeredAtMs > this.#outageMaxMs) this.#failure ??= unreachable(undefined)
  }

  #start(action: Action): void {
    const running: Promise<void> = perform(this.#sql, action)
      .then(
        (changes) => this.#committed(action, changes),
        (error: unknown) => this.#failed(action, error),
      )
      .finally(() => this.#pending.delete(running))
    this.#pending.add(running)
  }

  #committed(action: Action, changes: readonly WorkloadChange[]): void {
    this.#awaySinceMs = null
    this.#answeredAtMs = performance.now()
    this.#plan.settle(action, 'done')
    if (action.kind === 'rolled-back') {
      this.#rolledBack++
      return
    }
    this.#transactions++
    this.#changes += changes.length
    const committedAtMs = Date.now()
    for (const change of changes) {
      this.#byTable[change.table]++
      this.#options.onChange?.({ ...change, committedAtMs })
    }
  }

  #failed(action: Action, error: unknown): void {
    if (isRefusal(error)) {
      this.#refused++
      this.#answeredAtMs = performance.now()
      this.#plan.settle(action, 'undone')
      return
    }
    if (!isOutage(error)) {
      this.#failure ??= new TributaryError(
        'source-unsuitable',
        `The workload's "${action.kind}" does not work on this database. Use a database that createErp made.`,
        { cause: error },
      )
      return
    }
    this.#plan.settle(action, 'unknown')
    this.#missed += action.changes
    if (this.#options.signal.aborted) return
    const nowMs = performance.now()
    if (this.#awaySinceMs === null) {
      this.#outages++
      this.#options.onOutage?.()
    }
    this.#awaySinceMs ??= nowMs
    if (nowMs - this.#awaySinceMs > this.#outageMaxMs) this.#failure ??= unreachable(error)
  }

  /** Waits for the transactions under way, but not for a database that does not answer. */
  async #drain(): Promise<void> {
    const done = new AbortController()
    const deadline = wait(STOP_MS, undefined, { signal: done.signal, ref: false }).catch(ignoreAbort)
    await Promise.race([Promise.all(this.#pending), deadline])
    done.abort()
  }
}

async function readGround(sql: postgres.Sql): Promise<Ground> {
  const rows = await sql<{ customers: Range; products: Range; locations: string[] }[]>`
    SELECT (SELECT json_build_object('first', min(customer_id), 'last', max(customer_id)) FROM customers) AS customers,
      (SELECT json_build_object('first', min(product_id), 'last', max(product_id)) FROM products) AS products,
      array_to_json(ARRAY(SELECT DISTINCT location FROM stock_levels ORDER BY location)) AS locations`.catch(
    (error: unknown) => {
      throw isOutage(error) ? unreachable(error) : withoutErp(error)
    },
  )
  const ground = rows[0]
  if (!ground || ground.customers.first === null || ground.products.first === null || ground.locations.length === 0)
    throw withoutErp(undefined)
  return ground
}

type Range = { first: number; last: number }

/** The database takes part and says no to this one transaction: a constraint (23) or a conflict with another transaction (40). */
function isRefusal(error: unknown): boolean {
  return error instanceof postgres.PostgresError && /^(23|40)/.test(error.code)
}

/** The connection is gone or the server stops, starts or has no room (classes 08, 53 and 57P). */
function isOutage(error: unknown): boolean {
  if (error instanceof postgres.PostgresError) return /^(08|53|57P)/.test(error.code)
  return /^(CONNECT|E[A-Z]+$)/.test(systemCode(error) ?? '')
}

function unreachable(cause: unknown): TributaryError {
  return new TributaryError(
    'source-unreachable',
    "The demo's ERP database does not answer. Check that PostgreSQL runs.",
    {
      cause,
    },
  )
}

function withoutErp(cause: unknown): TributaryError {
  return new TributaryError('source-unsuitable', "This database does not hold the demo's ERP. Call createErp first.", {
    cause,
  })
}

function ignoreAbort(error: unknown): void {
  if (!(error instanceof Error && error.name === 'AbortError')) throw error
}
