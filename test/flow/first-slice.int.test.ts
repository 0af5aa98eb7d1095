import { afterAll, beforeAll, expect, test } from 'vitest'
import { createFlow, eventually, type Flow } from '../support/flow.ts'
import { declareCustomers } from './customers.ts'

let flow: Flow

beforeAll(async () => {
  flow = await createFlow(
    declareCustomers,
    `CREATE TABLE customers (id bigint PRIMARY KEY, name text, credit numeric(12,2), note text);
     ALTER TABLE customers REPLICA IDENTITY FULL;
     INSERT INTO customers SELECT i, 'customer ' || i, i * 1.25, NULL FROM generate_series(1, 500) i;`,
  )
  await flow.provision()
})

afterAll(async () => {
  await flow?.close()
})

test('rows that were there, and changes after, reach the warehouse', async () => {
  const running = flow.start('run')
  const same = async () => {
    const rows = await flow.source`SELECT id::text, name, credit::text, note FROM customers ORDER BY id`
    const there = await flow.warehouse`SELECT id::text, name, credit::text, note FROM customers ORDER BY id`
    return JSON.stringify(rows) === JSON.stringify(there)
  }
  await eventually(same, 'the snapshot is there').catch((error) => {
    throw new Error(running.log(), { cause: error })
  })
  await flow.source`UPDATE customers SET credit = credit + 1 WHERE id % 2 = 0`
  await flow.source`DELETE FROM customers WHERE id % 5 = 0`
  await flow.source`INSERT INTO customers VALUES (1000, 'Ünï 𝄞', 0.01, 'x')`
  await flow.source`UPDATE customers SET id = 2000 WHERE id = 1`
  await eventually(same, 'the changes are there').catch((error) => {
    throw new Error(running.log(), { cause: error })
  })
  running.kill('SIGTERM')
  expect(await running.exited).toBe(0)
})
