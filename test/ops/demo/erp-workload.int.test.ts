import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import postgres from 'postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createErp, type ErpProgress } from '../../../ops/demo/erp.ts'
import { runWorkload } from '../../../ops/demo/workload.ts'

const SIZE = { customers: 1_500, products: 200, orders: 2_000, seed: 11, asOf: new Date('2026-05-06T00:00:00Z') }
const DEADLINE_MS = 45_000
/** A busy machine is not away. */
const OUTAGE_MAX_MS = 3_000
const names: string[] = []
const openServers: Passage[] = []
let erpUrl: string

function urlOf(database: string, port?: number): string {
  const url = new URL(process.env.TRIBUTARY_POSTGRES_URL!)
  url.pathname = `/${database}`
  if (port !== undefined) url.host = `127.0.0.1:${port}`
  return url.href
}

async function withSql<T>(url: string, work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    return await work(sql)
  } finally {
    await sql.end()
  }
}

async function newDatabase(): Promise<string> {
  const name = `demo_${randomUUID().replaceAll('-', '')}`
  names.push(name)
  await withSql(urlOf('postgres'), (sql) => sql`CREATE DATABASE ${sql(name)}`)
  return urlOf(name)
}

beforeAll(async () => {
  erpUrl = await newDatabase()
  await createErp(erpUrl, SIZE)
})

afterAll(async () => {
  for (const proxy of openServers) await proxy.close()
  await withSql(urlOf('postgres'), async (sql) => {
    for (const name of names) await sql`DROP DATABASE IF EXISTS ${sql(name)} WITH (FORCE)`
  })
})

const fingerprint = (url: string) =>
  withSql(url, async (sql) => {
    const tables = ['customers', 'products', 'stock_levels', 'orders', 'invoices']
    const rows: Record<string, unknown>[] = []
    for (const table of tables)
      rows.push(
        (
          await sql`SELECT count(*)::int, md5(string_agg(t::text, '|' ORDER BY t::text)) AS md5 FROM ${sql(table)} t`
        )[0]!,
      )
    return rows
  })

test('the full-size ERP has its rows, keys and full replica identity, and the same seed gives the same rows', async () => {
  const url = await newDatabase()
  const progress: ErpProgress[] = []
  const asOf = new Date('2026-05-06T00:00:00Z')
  await createErp(url, { asOf, onProgress: (step) => progress.push(step) })
  expect(progress.map(({ table }) => table)).toEqual([
    'customers',
    'products',
    'stock_levels',
    'orders',
    'invoices',
    'keys',
  ])
  const counts = Object.fromEntries(progress.map(({ table, rows }) => [table, rows]))
  expect(counts).toMatchObject({ customers: 20_000, products: 2_000, stock_levels: 10_000, orders: 30_000 })
  expect(counts.invoices).toBeGreaterThan(24_000)
  await withSql(url, async (sql) => {
    const tables = await sql`
      SELECT relname, relreplident FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`
    expect(tables.map(({ relname, relreplident }) => `${relname} ${relreplident}`).sort()).toEqual([
      'customers f',
      'invoices f',
      'orders f',
      'products f',
      'stock_levels f',
    ])
    const [bad] = await sql`
      SELECT count(*) FILTER (WHERE tax_id LIKE '%#%' OR phone LIKE '%#%')::int AS unfilled,
        count(*) FILTER (WHERE name LIKE '%{%' OR address::text LIKE '%{%{%')::int AS templates,
        count(*) FILTER (WHERE email !~ '^[a-z0-9.-]+@[a-z0-9.-]+[.]example$')::int AS emails,
        count(*) FILTER (WHERE name ~ '[^\x01-\x7f]')::int > 3000 AS "nonAscii",
        count(DISTINCT address->>'country')::int AS countries FROM customers`
    expect(bad).toEqual({ unfilled: 0, templates: 0, emails: 0, nonAscii: true, countries: 13 })
  })

  const [small, again] = [await fingerprint(erpUrl), await newDatabase()]
  await createErp(again, SIZE)
  expect(await fingerprint(again)).toEqual(small)
  const other = await newDatabase()
  await createErp(other, { ...SIZE, seed: 12 })
  expect(await fingerprint(other)).not.toEqual(small)
})

test('an ERP that is there is left as it is, also by two who make it at once', async () => {
  const url = await newDatabase()
  await Promise.all([createErp(url, SIZE), createErp(url, SIZE)])
  await withSql(url, (sql) => sql`UPDATE customers SET name = 'changed' WHERE customer_id = 42`)
  const before = await fingerprint(url)
  await createErp(url, { ...SIZE, customers: 10 })
  expect(await fingerprint(url)).toEqual(before)
})

test('a database without the ERP is refused in words', async () => {
  const url = await newDatabase()
  const options = { changesPerSecond: 10, seed: 1, signal: new AbortController().signal }
  await expect(runWorkload(url, options)).rejects.toThrow(/does not hold the demo's ERP/)
})

test('every reported change is in the database, and rolled back transactions are not', async () => {
  const before = await counts(erpUrl)
  const stop = new AbortController()
  const seen = { insert: 0, update: 0, delete: 0 }
  const kinds: Record<string, number> = {}
  let total = 0
  const summary = await runWorkload(erpUrl, {
    changesPerSecond: 1_000,
    seed: 5,
    signal: stop.signal,
    onChange: ({ table, op, key }) => {
      seen[op]++
      kinds[`${table} ${op}`] = (kinds[`${table} ${op}`] ?? 0) + 1
      expect(key).toHaveLength(table === 'stock_levels' ? 2 : 1)
      if (++total === 2_000) stop.abort()
    },
  })
  expect(summary).toMatchObject({ refused: 0, outages: 0, changes: total })
  expect(summary.rolledBack).toBeGreaterThan(0)
  expect(Object.values(summary.changesByTable).reduce((sum, count) => sum + count, 0)).toBe(total)
  const after = await counts(erpUrl)
  for (const table of ['customers', 'orders', 'invoices'] as const)
    expect(after[table] - before[table]).toBe((kinds[`${table} insert`] ?? 0) - (kinds[`${table} delete`] ?? 0))
  expect(Math.min(seen.insert, seen.update, seen.delete)).toBeGreaterThan(0)
  await withSql(erpUrl, async (sql) => {
    const [wrong] = await sql`SELECT count(*)::int FROM customers WHERE credit_limit = 0`
    expect(wrong?.count).toBe(0)
  })
})

async function counts(url: string): Promise<Record<'customers' | 'orders' | 'invoices', number>> {
  return withSql(url, async (sql) => {
    const [row] = await sql<{ customers: number; orders: number; invoices: number }[]>`
      SELECT (SELECT count(*)::int FROM customers) AS customers, (SELECT count(*)::int FROM orders) AS orders,
        (SELECT count(*)::int FROM invoices) AS invoices`
    return row!
  })
}

/** Stands between the workload and the server, so that the server can go away for this test only. */
class Passage {
  readonly #target: URL
  readonly #sockets = new Set<Socket>()
  #server: Server | null = null
  #cutsAtFirstQuery = false
  port = 0

  constructor(target: string) {
    this.#target = new URL(target)
  }

  async open(): Promise<void> {
    this.#server = createServer((near) => {
      const far = connect(Number(this.#target.port), this.#target.hostname)
      for (const socket of [near, far]) {
        this.#sockets.add(socket)
        socket.on('error', () => socket.destroy())
        socket.on('close', () => {
          this.#sockets.delete(socket)
          near.destroy()
          far.destroy()
        })
      }
      near.pipe(far)
      far.pipe(near)
      if (this.#cutsAtFirstQuery) far.on('data', (answer: Buffer) => this.#cutAfter(answer, near))
    })
    this.#server.listen(this.port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.port = (this.#server.address() as AddressInfo).port
  }

  /** From now on a client logs in, and with what it asks then the server is gone. */
  cutAtFirstQuery(): void {
    this.#cutsAtFirstQuery = true
  }

  #cutAfter(answer: Buffer, near: Socket): void {
    // ReadyForQuery, the end of the log-in.
    if (!answer.subarray(-6).equals(Buffer.from('Z\0\0\0\x05I'))) return
    near.once('data', () => {
      // Ended, not destroyed: so does a server that stops.
      near.unpipe().end()
      this.#server?.close()
      this.#server = null
    })
  }

  /** Nothing passes any more, and nobody is told. */
  silence(): void {
    for (const socket of this.#sockets) socket.unpipe().pause()
  }

  async close(): Promise<void> {
    const server = this.#server
    this.#server = null
    for (const socket of this.#sockets) socket.destroy()
    if (server) await new Promise((closed) => server.close(closed))
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('the awaited condition did not come')
    await new Promise((turn) => setTimeout(turn, 20))
  }
}

async function proxied(): Promise<{ proxy: Passage; url: string }> {
  const proxy = new Passage(erpUrl)
  openServers.push(proxy)
  await proxy.open()
  return { proxy, url: urlOf(new URL(erpUrl).pathname.slice(1), proxy.port) }
}

test('the workload goes on after the database was away', async () => {
  const { proxy, url } = await proxied()
  const stop = new AbortController()
  let changes = 0
  let outages = 0
  const running = runWorkload(url, {
    changesPerSecond: 200,
    seed: 2,
    signal: stop.signal,
    onChange: () => changes++,
    onOutage: () => outages++,
  })
  await until(() => changes > 50)
  await proxy.close()
  await until(() => outages > 0)
  const whenAway = changes
  await proxy.open()
  await until(() => changes > whenAway + 100)
  stop.abort()
  const summary = await running
  expect(summary.outages).toBe(1)
  expect(summary.missed).toBeGreaterThan(0)
  expect(summary.changes).toBe(changes)
})

test('the workload gives up when the database stays away beyond the bound', async () => {
  const { proxy, url } = await proxied()
  let changes = 0
  const running = runWorkload(url, {
    changesPerSecond: 200,
    seed: 3,
    signal: new AbortController().signal,
    outageMaxMs: OUTAGE_MAX_MS,
    onChange: () => changes++,
  })
  const outcome = expect(running).rejects.toMatchObject({ code: 'source-unreachable' })
  await until(() => changes > 20)
  await proxy.close()
  await outcome
})

test('a database that takes connections and stays silent is away, too', async () => {
  const { proxy, url } = await proxied()
  let changes = 0
  const running = runWorkload(url, {
    changesPerSecond: 200,
    seed: 6,
    signal: new AbortController().signal,
    outageMaxMs: OUTAGE_MAX_MS,
    onChange: () => changes++,
  })
  const outcome = expect(running).rejects.toMatchObject({ code: 'source-unreachable' })
  await until(() => changes > 20)
  proxy.silence()
  await outcome
})

test('a database that goes away between the log-in and the first answer is told in words', async () => {
  const { proxy, url } = await proxied()
  proxy.cutAtFirstQuery()
  const options = { changesPerSecond: 10, seed: 8, signal: new AbortController().signal }
  await expect(runWorkload(url, options)).rejects.toMatchObject({ code: 'source-unreachable' })
})

test('an abort ends the workload also while the database is away', async () => {
  const { proxy, url } = await proxied()
  const stop = new AbortController()
  let changes = 0
  const running = runWorkload(url, { changesPerSecond: 200, seed: 4, signal: stop.signal, onChange: () => changes++ })
  await until(() => changes > 20)
  await proxy.close()
  stop.abort()
  expect((await running).changes).toBe(changes)
})
