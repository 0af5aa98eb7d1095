import { afterAll, expect, test } from 'vitest'
import { createFlow, eventually, type Flow, onLocalErp } from '../../support/flow.ts'

// Two warehouses of one process. The login of the second is not there yet when it starts.

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
    fields: { id: int64, revision: int64 }
subscribers:
  warehouse:
    type: warehouse
    url: "\${WAREHOUSE_URL}"
    entities: { customer: { table: customers } }
  mirror:
    type: warehouse
    url: "\${MIRROR_URL}"
    entities: { customer: { table: mirrored_customers } }
`

let flow: Flow | undefined
afterAll(async () => {
  await flow?.close()
})

test('a subscriber that refuses its login at the start holds up no other, and is served once it takes it', async () => {
  flow = await createFlow(
    declare,
    'CREATE TABLE customers (id bigint PRIMARY KEY, revision bigint); INSERT INTO customers VALUES (1, 1)',
  )
  const { warehouse, source, prefix, warehouseUrl } = flow
  Object.assign(flow.env, { MIRROR_URL: warehouseUrl })
  await flow.provision()
  const login = new URL(warehouseUrl)
  login.username = `${prefix}_mirror`
  const running = flow.startWith({ MIRROR_URL: login.toString() }, 'run')
  const revisionAt = async (table: string) =>
    (await warehouse<{ revision: string }[]>`SELECT revision FROM ${warehouse(table)} WHERE id = '1'`)[0]?.revision
  try {
    await eventually(() => running.log().includes('deliver mirror stopped'), running.log)
    await source`UPDATE customers SET revision = 2`
    await eventually(async () => (await revisionAt('customers')) === '2', running.log)
    expect(await revisionAt('mirrored_customers')).toBeUndefined()
    await warehouse.unsafe(
      `CREATE ROLE ${login.username} LOGIN SUPERUSER PASSWORD '${decodeURIComponent(login.password)}'`,
    )
    await eventually(async () => (await revisionAt('mirrored_customers')) === '2', running.log)
    running.kill('SIGTERM')
    expect(await running.exited).toBe(0)
    expect(running.log()).not.toContain(login.password)
  } finally {
    running.kill('SIGKILL')
    await running.exited
    await warehouse.unsafe(`DROP ROLE IF EXISTS ${login.username}`)
  }
})
