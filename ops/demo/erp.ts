import postgres from 'postgres'
import { TributaryError } from '../../schemas/errors.ts'
import { countrySlots, prepareRowsSql, rowSteps } from './erp/rows.ts'
import { IDENTITIES_SQL, KEYS_SQL, TABLES_SQL } from './erp/tables.ts'

export interface ErpOptions {
  readonly customers?: number
  readonly products?: number
  readonly orders?: number
  readonly seed?: number
  /** The day the invented history ends; default now. */
  readonly asOf?: Date
  readonly onProgress?: (progress: ErpProgress) => void
}

/** Told after each table, and once with table `keys` when keys and indexes are there. */
export interface ErpProgress {
  readonly table: string
  readonly rows: number
  readonly tookMs: number
}

const CONNECT_TIMEOUT_SECONDS = 10
const ERP_LOCK = 7_126_311

/**
 * Makes the demo's ERP in the given database: customers, products, stock_levels, orders and invoices with plausible, invented rows.
 * Idempotent: a database where `customers` has rows is left as it is. One transaction, so all of it is there or nothing.
 * The same seed, sizes and `asOf` give the same rows.
 * @param url a database that exists, and a role that may create in its first schema
 * @throws TributaryError `source-unreachable` when the database cannot be reached, `source-unsuitable` when it refuses
 */
export async function createErp(url: string, options: ErpOptions = {}): Promise<void> {
  const size = {
    customers: atLeastOne('customers', options.customers ?? 20_000),
    products: atLeastOne('products', options.products ?? 2_000),
    orders: atLeastOne('orders', options.orders ?? 30_000),
  }
  const seed = options.seed ?? 1
  if (!Number.isSafeInteger(seed) || Math.abs(seed) > 1e12)
    throw new TributaryError(
      'declaration-invalid',
      `The demo's seed has to be a whole number below 10^12, not ${seed}.`,
    )
  const sql = postgres(url, {
    max: 1,
    fetch_types: false,
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    onnotice: () => {},
  })
  try {
    await sql.begin((tx) => makeAll(tx, size, seed, options))
  } catch (error) {
    throw wrapped(error)
  } finally {
    await sql.end({ timeout: 2 })
  }
}

async function makeAll(
  tx: postgres.TransactionSql,
  size: { customers: number; products: number; orders: number },
  seed: number,
  options: ErpOptions,
): Promise<void> {
  await tx`SELECT pg_advisory_xact_lock(${ERP_LOCK})`
  const [found] = await tx<{ exists: boolean }[]>`SELECT to_regclass('customers') IS NOT NULL AS exists`
  if (found?.exists) {
    const [filled] = await tx<{ rows: boolean }[]>`SELECT EXISTS (SELECT FROM customers) AS rows`
    if (filled?.rows) return
  } else await tx.unsafe(TABLES_SQL)

  let startedAtMs = Date.now()
  const report = (table: string, rows: number) => {
    options.onProgress?.({ table, rows, tookMs: Date.now() - startedAtMs })
    startedAtMs = Date.now()
  }
  const prepare = prepareRowsSql(seed, options.asOf ?? new Date())
  await tx.unsafe(prepare.functions)
  await tx.unsafe(prepare.countries, [JSON.stringify(countrySlots())])
  for (const step of rowSteps(size)) report(step.table, (await tx.unsafe(step.sql)).count)
  if (!found?.exists) await tx.unsafe(KEYS_SQL)
  await tx.unsafe(IDENTITIES_SQL)
  report('keys', 0)
}

function atLeastOne(name: string, count: number): number {
  if (Number.isSafeInteger(count) && count >= 1 && count <= 10_000_000) return count
  throw new TributaryError('declaration-invalid', `The demo's number of ${name} has to be between 1 and 10,000,000.`)
}

function wrapped(error: unknown): Error {
  if (error instanceof TributaryError) return error
  if (error instanceof postgres.PostgresError)
    return new TributaryError(
      'source-unsuitable',
      `The demo's ERP could not be made (${error.code}: ${error.message}). Use an empty database.`,
      { cause: error },
    )
  return new TributaryError(
    'source-unreachable',
    "The demo's ERP database does not answer. Check that PostgreSQL runs.",
    {
      cause: error,
    },
  )
}
