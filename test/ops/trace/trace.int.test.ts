import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectReadable } from '../../support/cli.ts'
import { createFlow, eventually, type Flow, type FlowProcess, onLocalErp } from '../../support/flow.ts'
import { ageLedger } from '../../support/old-ledger.ts'
import { untilQuiet } from '../../support/quiet.ts'

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
subscribers:
  warehouse:
    type: warehouse
    url: "\${WAREHOUSE_URL}"
    entities: { customer: { table: customers } }
  second:
    type: warehouse
    url: "\${WAREHOUSE_URL}"
    schema: second
    entities: { customer: { table: customers } }
`

let flow: Flow
let delivering: FlowProcess

beforeAll(async () => {
  flow = await createFlow(
    declare,
    `CREATE TABLE customers (id bigint PRIMARY KEY, email text, credit bigint);
     ALTER TABLE customers REPLICA IDENTITY FULL;
     INSERT INTO customers SELECT g, 'c' || g || '@example.org', 0 FROM generate_series(1, 20) g`,
  )
  await flow.provision()
  await flow.warehouse.unsafe('ALTER TABLE second.customers ADD CHECK (credit >= 0)')
  await ageLedger(flow)
  delivering = flow.start('run')
  await untilQuiet(flow)
})

afterAll(() => flow?.close())

interface Traced {
  readonly ok: boolean
  readonly published: { readonly op: string; readonly version: string; readonly changed: readonly string[] } | null
  readonly subscribers: readonly {
    readonly subscriber: string
    readonly standing: string | null
    readonly version: string | null
    readonly appliedAt: string | null
    readonly fields: number | null
    readonly deadLetter: { readonly code: string } | null
  }[]
}

async function trace(key: string): Promise<Traced> {
  const { code, stdout, stderr } = await flow.run('trace', 'customer', key, '--json')
  expect([code, stderr]).toEqual([0, ''])
  return JSON.parse(stdout)
}

test('a change that one subscriber has and another refused is shown as that, without a value of the object', {
  timeout: 180_000,
}, async () => {
  await flow.source`UPDATE customers SET credit = -5 WHERE id = 7`
  let traced: Traced | undefined
  await eventually(
    async () => {
      traced = await trace('7')
      return traced.subscribers.map(({ standing }) => standing).join() === 'applied,dead'
    },
    () => `it has arrived here and is refused there: ${JSON.stringify(traced)}`,
  )
  const { published, subscribers } = traced!
  expect(published).toMatchObject({ op: 'update', changed: ['credit'] })
  const [first, second] = subscribers
  expect(first).toMatchObject({ subscriber: 'warehouse', version: published!.version, fields: 1 })
  expect(Math.abs(Date.now() - Date.parse(first!.appliedAt!))).toBeLessThan(60_000)
  expect(second).toMatchObject({ subscriber: 'second', fields: 3, deadLetter: { code: '23514' } })
  expect(second!.version).not.toBe(published!.version)

  const shown = await flow.run('trace', 'customer', '7')
  expect([shown.code, shown.stderr]).toEqual([0, ''])
  expectReadable(shown.stdout)
  expect(shown.stdout).toContain('update of credit')
  expect(shown.stdout).toContain('tributary dlq show second customer 7')
  expect(shown.stdout).not.toContain('@example.org')
})

test('what waits while nobody delivers is told with how much is before it, and lag says that nobody reads', {
  timeout: 180_000,
}, async () => {
  delivering.kill('SIGTERM')
  await delivering.exited
  const capturing = flow.start('capture', 'erp')
  await flow.source`UPDATE customers SET credit = 1 WHERE id <> 7`
  await flow.source`DELETE FROM customers WHERE id = 8`
  await eventually(async () => (await trace('8')).published?.op === 'delete', 'the delete is published')
  expect((await trace('8')).subscribers.map(({ standing }) => standing)).toEqual(['waiting', 'waiting'])
  const lag = await flow.run('lag', '--json')
  const rows = (JSON.parse(lag.stdout) as { lag: { state: string; lagRecords: number }[] }).lag
  expect(rows.map(({ state }) => state)).toEqual(['unread', 'unread'])
  const shown = await flow.run('lag', 'second')
  expectReadable(shown.stdout)
  expect(shown.stdout).toContain('tributary deliver second')
  expect(shown.stdout).toContain('tributary dlq list second')
  expect(shown.stdout).not.toContain('warehouse')
  capturing.kill('SIGTERM')
  await capturing.exited
})

test('a key that never was, an entity that is not declared, and a ledger that is away are said to be so', async () => {
  expect(await trace('4711')).toMatchObject({
    published: null,
    subscribers: [{ standing: 'nothing' }, { standing: 'nothing' }],
  })
  const unknown = await flow.run('trace', 'customers', '1')
  expect(unknown.code).toBe(2)
  expect(unknown.stderr).toContain('There is no entity customers')
})
