import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type Sandbox,
  type SandboxAnswer,
  type SandboxRequest,
  startSandbox,
} from '../../../connectors/http/sandbox-server.ts'
import { createFlow, eventually, type Flow, type FlowProcess, onLocalErp } from '../../support/flow.ts'
import { ageLedger } from '../../support/old-ledger.ts'
import { untilQuiet } from '../../support/quiet.ts'

// One process delivers both classes to three subscribers. Each takes orders, and has another trouble with customers, which would hold up
// orders for longer than this test waits if they shared requests, a breaker, or a rest.

const ROWS = 40
const ROWS_AT_0 = Array.from({ length: ROWS }, () => 0)
const REQUESTS_AT_ONCE = 4
const FAILURES = 5

const declare = (prefix: string) => `
${onLocalErp(prefix)}
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
  hangs:
    type: http
    url: "\${CRM_URL}/hangs"
    timeout: 10m
    allowAddresses: [127.0.0.1]
    concurrency: ${REQUESTS_AT_ONCE}
    entities: { customer: { target: "/customers/{key}" }, order: { target: "/orders/{key}" } }
  refuses:
    type: http
    url: "\${CRM_URL}/refuses"
    allowAddresses: [127.0.0.1]
    concurrency: ${REQUESTS_AT_ONCE}
    breaker: { failures: ${FAILURES}, probeEvery: 10m }
    entities: { customer: { target: "/customers/{key}" }, order: { target: "/orders/{key}" } }
  throttles:
    type: http
    url: "\${CRM_URL}/throttles"
    allowAddresses: [127.0.0.1]
    concurrency: ${REQUESTS_AT_ONCE}
    entities: { customer: { target: "/customers/{key}" }, order: { target: "/orders/{key}" } }
`

const released = Promise.withResolvers<void>()

interface Trouble {
  readonly subscriber: string
  readonly what: string
  /** What a request for a customer is answered; null for what every other request is. */
  readonly answer: () => Promise<SandboxAnswer | null>
  /** After so many of them everyone has to wait who shares something with customers. */
  readonly enough: number
}

const TROUBLES: readonly Trouble[] = [
  {
    subscriber: 'hangs',
    what: 'does not answer',
    answer: () => released.promise.then(() => null),
    enough: REQUESTS_AT_ONCE,
  },
  { subscriber: 'refuses', what: 'refuses', answer: async () => ({ status: 503 }), enough: FAILURES },
  {
    subscriber: 'throttles',
    what: 'throttles',
    answer: async () => ({ status: 429, headers: { 'retry-after': '3600' } }),
    enough: 1,
  },
]

/** Path → the revision that was put there. */
const held = new Map<string, number>()
/** Subscriber → how many of its requests for customers were in trouble. */
const troubled = new Map<string, number>()
let isWell = true
let crm: Sandbox
let flow: Flow
let running: FlowProcess

async function carryOut({ method, path, body }: SandboxRequest): Promise<SandboxAnswer> {
  const [, subscriber, collection] = path.split('/') as [string, string, string]
  if (!isWell && collection === 'customers') {
    troubled.set(subscriber, (troubled.get(subscriber) ?? 0) + 1)
    const answer = await TROUBLES.find((one) => one.subscriber === subscriber)!.answer()
    if (answer !== null) return answer
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
  expect(held.size).toBe(TROUBLES.length * 2 * ROWS)
  isWell = false
  await flow.source`UPDATE customers SET revision = 1`
  await eventually(
    () => TROUBLES.every(({ subscriber, enough }) => (troubled.get(subscriber) ?? 0) >= enough),
    () => `customers are in trouble everywhere: ${JSON.stringify([...troubled])}\n${running.log().slice(-3_000)}`,
  )
})

afterAll(async () => {
  await flow?.close()
  await crm?.close()
})

let step = 0

test.each(TROUBLES)(
  'a subscriber that $what where customers are concerned holds up no order',
  async ({ subscriber }) => {
    // Several times over: a single change could have been on its way already.
    for (let times = 0; times < 3; times++) {
      step++
      await flow.source`UPDATE orders SET revision = ${step}`
      await eventually(
        () => revisions(subscriber, 'orders').every((one) => one === step),
        () => `orders arrive while customers are stuck\n${running.log().slice(-3_000)}`,
      )
    }
    expect(revisions(subscriber, 'customers'), 'they are still stuck').toEqual(ROWS_AT_0)
  },
)

test('when it answers again the customers follow by themselves', async () => {
  released.resolve()
  await eventually(
    () => revisions('hangs', 'customers').every((one) => one === 1),
    () => `customers arrive\n${running.log().slice(-3_000)}`,
  )
})

function revisions(subscriber: string, collection: string): number[] {
  return [...held].flatMap(([path, revision]) => (path.startsWith(`/${subscriber}/${collection}/`) ? [revision] : []))
}
