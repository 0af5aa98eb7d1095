import { openAdmin } from '../../../connectors/kafka/admin.ts'
import { deadLetterTopic } from '../../../schemas/topics.ts'
import { createFlow, type Flow, type FlowProcess, onLocalErp } from '../../support/flow.ts'
import { ageLedger } from '../../support/old-ledger.ts'
import { untilQuiet } from '../../support/quiet.ts'

/** Three subscribers to the products of an ERP: a CRM (any REST API), a store, and a warehouse. */
const SUBSCRIBERS = ['crm', 'store', 'warehouse'] as const
export type SubscriberName = (typeof SUBSCRIBERS)[number]

const declare = (prefix: string) => `
${onLocalErp(prefix)}
entities:
  product:
    source: erp
    table: products
    key: product_id
    owner: product-management
    freshness: 15m
    partitions: 3
    fields: { product_id: int64, name: string, price: 'decimal(12,2)', revision: int64 }
subscribers:
  crm:
    type: http
    url: "\${CRM_URL}"
    allowAddresses: [127.0.0.1]
    entities: { product: { target: "/products/{key}", fields: { name: name, price: price, revision: revision } } }
  store:
    type: shopify
    url: "\${STORE_URL}"
    accessToken: "\${STORE_TOKEN}"
    breaker: { probeEvery: "\${STORE_PROBE}" }
    allowAddresses: [127.0.0.1]
    entities:
      product:
        target: product
        key: handle
        fields: { title: name, productType: { format: "{revision}" } }
  warehouse:
    type: warehouse
    url: "\${WAREHOUSE_URL}"
    entities: { product: { table: products } }
`

/** `bench_change` is what test/bench/support/load.ts calls: the number of the change becomes the row's revision, so revisions only grow. */
const SOURCE_SQL = `
CREATE TABLE products (product_id bigint PRIMARY KEY, name text NOT NULL, price numeric(12,2) NOT NULL, revision bigint NOT NULL);
ALTER TABLE products REPLICA IDENTITY FULL;
CREATE FUNCTION bench_change(number bigint, id bigint) RETURNS void LANGUAGE sql AS
$$ UPDATE products SET revision = number, price = (number % 1000000) / 100.0 WHERE product_id = id $$;
`

export interface OutageScene {
  readonly flow: Flow
  readonly processes: Readonly<Record<SubscriberName | 'capture', FlowProcess>>
}

/**
 * Starts a capture and a delivery a subscriber, each a process of its own, and waits until every subscriber has `keys` products. The ledger looks old, so
 * that patches are of differences from the beginning.
 */
export async function startOutageScene(
  keys: number,
  crmUrl: string,
  store: { readonly url: string; readonly token: string; readonly probeEvery: string },
): Promise<OutageScene> {
  const flow = await createFlow(declare, SOURCE_SQL, {
    CRM_URL: crmUrl,
    STORE_URL: store.url,
    STORE_TOKEN: store.token,
    STORE_PROBE: store.probeEvery,
  })
  try {
    await flow.source`INSERT INTO products SELECT i, 'Product ' || i, 1, 0 FROM generate_series(1, ${keys}::int) i`
    await flow.provision()
    await ageLedger(flow)
    const processes = {
      capture: flow.start('capture', 'erp'),
      crm: flow.start('deliver', 'crm'),
      store: flow.start('deliver', 'store'),
      warehouse: flow.start('deliver', 'warehouse'),
    }
    await untilQuiet(flow)
    return { flow, processes }
  } catch (error) {
    await flow.close()
    throw error
  }
}

/** One of a process's own figures, over all labels; 0 where it has none of it yet. */
export async function metricOf(running: FlowProcess, name: string): Promise<number> {
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(running.log())?.[0]
  if (url === undefined) throw new Error('the process serves no metrics yet')
  const text = await (await fetch(`${url}/metrics`)).text()
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`))
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}

/** Product → revision, as text: at the source. */
export async function revisionsAtSource(flow: Flow): Promise<Readonly<Record<string, string>>> {
  const rows = await flow.source<{ id: string; revision: string }[]>`
    SELECT product_id::text AS id, revision::text AS revision FROM products`
  return Object.fromEntries(rows.map(({ id, revision }) => [id, revision]))
}

/** The same at the warehouse. */
export async function revisionsAtWarehouse(flow: Flow): Promise<Readonly<Record<string, string>>> {
  const rows = await flow.warehouse<{ id: string; revision: string }[]>`
    SELECT product_id::text AS id, revision::text AS revision FROM products`
  return Object.fromEntries(rows.map(({ id, revision }) => [id, revision]))
}

/** How many records were ever written to the dead-letter topic of each subscriber. */
export async function lettersEver(flow: Flow): Promise<Readonly<Record<string, number>>> {
  const { declaration, kafka } = flow.environment()
  const admin = await openAdmin(kafka, declaration.kafka.brokers)
  try {
    const written: Record<string, number> = {}
    for (const subscriber of SUBSCRIBERS) {
      const partitions = await admin.topicOffsets(deadLetterTopic(flow.prefix, subscriber))
      written[subscriber] = partitions.reduce((sum, { high }) => sum + Number(high), 0)
    }
    return written
  } finally {
    await admin.close()
  }
}
