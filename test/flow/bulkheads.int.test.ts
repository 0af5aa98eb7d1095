import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type Sandbox,
  type SandboxAnswer,
  type SandboxRequest,
  startSandbox,
} from '../../connectors/http/sandbox-server.ts'
import { createFlow, eventually, type Flow, type FlowProcess } from '../support/flow.ts'
import { ageLedger } from '../support/old-ledger.ts'
import { untilQuiet } from '../support/quiet.ts'

// One process delivers both classes of one subscriber, which answers orders and has trouble with customers.

const ROWS = 40
const ROWS_AT_0 = Array.from({ length: ROWS }, () => 0)
/** Fewer than are stuck, so that nothing would be free for others if it were shared. */
const REQUESTS_AT_ONCE = 4

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
    class: standard
    owner: sales
    freshness: 15m
    partitions: 2
    fields: { id: int64, revision: int64 }
  order:
    source: erp
    table: orders
    key: id
    class: critical
    owner: order-desk
    freshness: 15m
    partitions: 2
    fields: { id: int64, revision: int64 }
subscribers:
  crm:
    type: http
    url: "\${CRM_URL}"
    allowAddresses: [127.0.0.1]
    concurrency: ${REQUESTS_AT_ONCE}
    timeout: 2s
    breaker: { probeEvery: 1s..2s }
    entities:
      customer: { target: "/customers/{key}" }
      order: { target: "/orders/{key}" }
`

/** Path → the revision that was put there. */
const held = new Map<string, number>()
/** What becomes of a request for a customer; null for nothing special. */
let trouble: (() => SandboxAnswer | Promise<SandboxAnswer>) | null = null
let troubled = 0
let crm: Sandbox
let flow: Flow
let running: FlowProcess

function carryOut({ method, path, body }: SandboxRequest): SandboxAnswer | Promise<SandboxAnswer> {
  if (trouble !== null && path.startsWith('/customers/')) {
    troubled++
    return trouble()
  }
  if (method !== 'PUT' && !held.has(path)) return { status: 404 }
  held.set(path, (JSON.parse(body.toString('utf8')) as { revision: number }).revision)
  return { status: 200 }
}

beforeAll(async () => {
  crm = await startSandbox({ handle: carryOut, objects: () => [] })
  flow = await createFlow(
    declare,
    `CREATE TABLE customers (id bigint PRIMARY KEY, revision bigint);
     CREATE TABLE orders (id bigint PRIMARY KEY, revision bigint);
     ALTER TABLE customers REPLICA IDENTITY FULL;
     ALTER TABLE orders REPLICA IDENTITY FULL;
     INSERT INTO customers SELECT i, 0 FROM generate_series(1, ${ROWS}) i;
     INSERT INTO orders SELECT i, 0 FROM generate_series(1, ${ROWS}) i`,
    { CRM_URL: crm.url },
  )
  await flow.provision()
  await ageLedger(flow)
  running = flow.start('run')
  await untilQuiet(flow)
  expect(held.size).toBe(2 * ROWS)
})

afterAll(async () => {
  await flow?.close()
  await crm?.close()
})

const NEVER = new Promise<SandboxAnswer>(() => {})
let step = 0

test.each([
  { what: 'does not answer', how: () => NEVER },
  { what: 'refuses everyone', how: () => ({ status: 503 }) },
  { what: 'asks to be left alone', how: () => ({ status: 429, headers: { 'retry-after': '2' } }) },
])('a subscriber that $what for a standard entity holds up nothing of a critical one', async ({ how }) => {
  trouble = how
  const before = troubled
  await flow.source`UPDATE customers SET revision = revision + 1`
  await eventually(() => troubled > before, 'customers are in trouble')
  // Several times over: a single change could have been on its way already.
  for (let times = 0; times < 3; times++) {
    step++
    await flow.source`UPDATE orders SET revision = ${step}`
    await eventually(
      () => revisions('orders').every((one) => one === step),
      () => `orders arrive while customers are stuck\n${running.log().slice(-3_000)}`,
    )
  }
  expect(revisions('customers'), 'they are still stuck').toEqual(ROWS_AT_0)
})

test('when it is well again the standard entity follows by itself', async () => {
  trouble = null
  await eventually(
    () => revisions('customers').every((one) => one === 3),
    () => `customers arrive\n${running.log().slice(-3_000)}`,
  )
})

function revisions(collection: string): number[] {
  return [...held].flatMap(([path, revision]) => (path.startsWith(`/${collection}/`) ? [revision] : []))
}
