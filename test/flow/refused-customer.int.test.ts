import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectReadable } from '../support/cli.ts'
import { createFlow, eventually, type Flow, type FlowProcess } from '../support/flow.ts'
import { untilQuiet } from '../support/quiet.ts'

/** A warehouse with rules of its own: a foreign key, a unique value and a check. */
let flow: Flow
let running: FlowProcess

const declare = (prefix: string) => `
name: ${prefix}
kafka: { brokers: "\${TRIBUTARY_KAFKA_BROKERS}", replication: 1 }
registry: { url: "\${TRIBUTARY_REGISTRY_URL}" }
redis: { url: "\${TRIBUTARY_REDIS_URL}" }
ledger: { fingerprintKey: "\${TRIBUTARY_FINGERPRINT_KEY}" }
sources:
  erp: { type: postgres, url: "\${ERP_URL}" }
entities:
  customer:
    source: erp
    table: customers
    key: id
    owner: sales
    freshness: 15m
    partitions: 2
    fields: { id: int64, email: { type: string, personal: true }, credit: int64 }
  order:
    source: erp
    table: orders
    key: id
    owner: order-desk
    freshness: 15m
    partitions: 2
    fields: { id: int64, customer_id: int64 }
subscribers:
  warehouse:
    type: warehouse
    url: "\${WAREHOUSE_URL}"
    entities:
      customer: { table: customers }
      order: { table: orders }
`

beforeAll(async () => {
  flow = await createFlow(
    declare,
    `CREATE TABLE customers (id bigint PRIMARY KEY, email text, credit bigint);
     CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint);
     ALTER TABLE customers REPLICA IDENTITY FULL;
     ALTER TABLE orders REPLICA IDENTITY FULL;
     INSERT INTO customers SELECT g, 'c' || g || '@example.org', 0 FROM generate_series(1, 20) g`,
  )
  await flow.provision()
  await flow.warehouse.unsafe(`
    ALTER TABLE customers ADD UNIQUE (id), ADD UNIQUE (email), ADD CHECK (credit >= 0);
    ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers (id)`)
  running = flow.start('run')
  await untilQuiet(flow)
})

afterAll(() => flow?.close())

const dlq = async (...args: string[]) => flow.run('dlq', ...args)
const openLetters = async () => JSON.parse((await dlq('list', 'warehouse', '--json')).stdout).open as number
const creditOf = async (id: number) =>
  Number((await flow.warehouse`SELECT credit FROM customers WHERE id = ${id}`)[0]!.credit)

test('one refused customer: only that key waits, a later good change resolves it, and a replay of an old one changes nothing newer', {
  timeout: 180_000,
}, async () => {
  await flow.source`UPDATE customers SET credit = CASE WHEN id = 7 THEN -1 ELSE 5 END`
  await eventually(async () => (await openLetters()) === 1, 'the letter is there', 60_000)
  await eventually(async () => (await creditOf(20)) === 5, 'the others went on', 60_000)
  expect(await creditOf(7)).toBe(0)
  const shown = await dlq('show', 'warehouse', 'customer', '7')
  expect([shown.code, shown.stderr]).toEqual([0, ''])
  expectReadable(shown.stdout)
  expect(shown.stdout).toContain('23514')
  expect(shown.stdout).not.toContain('c7@example.org')

  const refused = await dlq('replay', 'warehouse', 'customer', '7', '--json')
  expect(refused.code).toBe(1)
  await flow.source`UPDATE customers SET credit = 9 WHERE id = 7`
  await eventually(async () => (await openLetters()) === 0, 'it is resolved', 60_000)
  expect(await creditOf(7)).toBe(9)
})

test('a letter whose cause was taken away is replayed, one that is not wanted is discarded', {
  timeout: 180_000,
}, async () => {
  await flow.source`UPDATE customers SET credit = -2 WHERE id IN (8, 9)`
  await eventually(async () => (await openLetters()) === 2, 'the letters are there', 60_000)
  await flow.warehouse`ALTER TABLE customers DROP CONSTRAINT customers_credit_check`
  const replayed = await dlq('replay', 'warehouse', 'customer', '8', '--json')
  expect(JSON.parse(replayed.stdout)).toMatchObject({ ok: true })
  expect(await creditOf(8)).toBe(-2)
  const discarded = await dlq('discard', 'warehouse', 'customer', '9', '--reason', 'a typing error')
  expect(discarded).toMatchObject({ code: 0, stderr: '' })
  expect(await openLetters()).toBe(0)
  expect(await creditOf(9)).not.toBe(-2)
})

test('an order whose customer is late waits and arrives; a unique value that moves between two keys arrives', {
  timeout: 180_000,
}, async () => {
  // The order first: two transactions, and the customer only when the order has been refused.
  await flow.source`INSERT INTO orders VALUES (100, 1000)`
  await eventually(async () => (await blocked()) > 0, 'the order has to wait', 60_000)
  await flow.source`INSERT INTO customers VALUES (1000, 'late@example.org', 1)`
  await eventually(
    async () => (await flow.warehouse`SELECT FROM orders WHERE id = 100`).length === 1,
    'the order',
    60_000,
  )

  await flow.source.begin(async (sql) => {
    await sql`UPDATE customers SET email = 'gone@example.org' WHERE id = 1`
    await sql`UPDATE customers SET email = 'c1@example.org' WHERE id = 2`
  })
  await eventually(
    async () => {
      const rows = await flow.warehouse`SELECT email FROM customers WHERE id IN (1, 2) ORDER BY id`
      return rows.map(({ email }) => email).join(' ') === 'gone@example.org c1@example.org'
    },
    'the value has moved',
    60_000,
  )
  expect(await openLetters()).toBe(0)
})

/** How often the warehouse has answered that a record has to wait. */
async function blocked(): Promise<number> {
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(running.log())![0]
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/tributary_answers_total\{[^}]*outcome="blocked"[^}]*\} (\d+)/.exec(text)?.[1] ?? 0)
}
