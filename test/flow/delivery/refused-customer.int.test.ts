import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectReadable } from '../../support/cli.ts'
import { createFlow, eventually, type Flow, type FlowProcess, onLocalErp } from '../../support/flow.ts'
import { untilQuiet } from '../../support/quiet.ts'

/** A warehouse with rules of its own (a foreign key, a unique value and a check), and deletes that depend on who refers. */
let flow: Flow
let running: FlowProcess

const declare = (prefix: string) => `
${onLocalErp(prefix)}
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
      customer:
        table: customers
        onDelete: { soft: { while: { entity: order, field: customer_id } }, else: hard }
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
  // What the record wants beside what the warehouse has, which was asked.
  expect(shown.stdout).toMatch(/FIELD +WANTED +THE SUBSCRIBER HAS/)
  expect(shown.stdout).toMatch(/≠ +credit +-1 +0\n/)
  expect(shown.stdout).toMatch(/= +id +7 +7\n/)
  expect(shown.stdout).toMatch(/= +email +••• +•••\n/)
  const inJson = await dlq('show', 'warehouse', 'customer', '7', '--json')
  expect(JSON.parse(inJson.stdout)).toMatchObject({
    atSubscriber: 'there',
    wanted: { fields: expect.arrayContaining([expect.objectContaining({ field: 'credit', wanted: '-1', has: '0' })]) },
  })
  for (const { stdout } of [shown, inJson]) expect(stdout).not.toContain('c7@example.org')

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

test('a customer with an order is marked as deleted, one without goes; a preview shows the statement without personal values', {
  timeout: 180_000,
}, async () => {
  const previewed = await flow.run('preview', 'warehouse', 'customer', '11', '--full', '--json')
  expect(previewed.code).toBe(0)
  const { request } = JSON.parse(previewed.stdout)
  expect(request.request).toMatch(/^BEGIN; .*INSERT INTO "public"\."customers" .*; COMMIT$/)
  expect(JSON.parse(request.body)).toMatchObject({ tributary_key: '11', id: '11', email: '•••' })
  expect(previewed.stdout).not.toMatch(/c11@example\.org|postgres:\/\//)

  await flow.source`INSERT INTO orders VALUES (200, 11)`
  await eventually(
    async () => (await flow.warehouse`SELECT FROM orders WHERE id = 200`).length === 1,
    'the order',
    60_000,
  )
  await flow.source`DELETE FROM customers WHERE id IN (11, 12)`
  await eventually(
    async () => (await flow.warehouse`SELECT FROM customers WHERE id = 12`).length === 0,
    'the one has gone',
    60_000,
  )
  const isMarked = async () => {
    const [row] = await flow.warehouse`SELECT tributary_deleted_at AS mark FROM customers WHERE id = 11`
    return row !== undefined && row.mark !== null
  }
  await eventually(isMarked, 'the other is marked', 60_000)
})

/** How often the warehouse has answered that a record has to wait. */
async function blocked(): Promise<number> {
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(running.log())![0]
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/tributary_answers_total\{[^}]*outcome="blocked"[^}]*\} (\d+)/.exec(text)?.[1] ?? 0)
}
