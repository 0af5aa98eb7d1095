import type postgres from 'postgres'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createFlow, eventually, type Flow } from '../../support/flow.ts'
import { startOwnPostgres } from '../../support/servers/own-postgres.ts'
import { readHistory, staleTails } from '../../support/topics/topic-history.ts'
import { CUSTOMERS, declareCustomers } from '../customers.ts'

/** A pipeline whose source takes prepared transactions: that is a setting of the whole server. */
async function preparedFlow(): Promise<Flow> {
  const server = await startOwnPostgres({ settings: { max_prepared_transactions: '10' } })
  onTestFinished(() => server.close())
  vi.stubEnv('TRIBUTARY_POSTGRES_URL', server.url)
  onTestFinished(() => void vi.unstubAllEnvs())
  const flow = await createFlow(declareCustomers, CUSTOMERS)
  onTestFinished(() => flow.close())
  await flow.provision()
  return flow
}

const insert = (sql: postgres.TransactionSql | postgres.ReservedSql, id: number, name: string) =>
  sql`INSERT INTO customers VALUES (${id}, ${name})`

/** Prepares a transaction, which then belongs to no session any more. */
async function prepare(flow: Flow, name: string, work: (sql: postgres.ReservedSql) => Promise<unknown>): Promise<void> {
  const session = await flow.source.reserve()
  await session`BEGIN`
  await work(session)
  await session.unsafe(`PREPARE TRANSACTION '${name}'`)
  session.release()
}

async function untilPublished(flow: Flow, key: string): Promise<void> {
  await eventually(async () => (await readHistory(flow, 'customer')).has(key), `customer ${key} is published`)
}

test('a prepared transaction is published when it is committed, also by a capture that started in between', async () => {
  const flow = await preparedFlow()
  const first = flow.start('capture', 'erp')
  await untilPublished(flow, '20')

  await prepare(flow, 'kept', async (sql) => {
    await insert(sql, 101, 'prepared early')
    await sql`UPDATE customers SET note = 'prepared early' WHERE id = 1`
  })
  await prepare(flow, 'given up', (sql) => insert(sql, 102, 'never'))
  await flow.source.begin((sql) => insert(sql, 103, 'committed between'))
  await untilPublished(flow, '103')
  expect((await readHistory(flow, 'customer')).has('101')).toBe(false)

  first.kill('SIGKILL')
  await first.exited
  flow.start('capture', 'erp')
  await flow.source.begin((sql) => insert(sql, 104, 'after the restart'))
  await untilPublished(flow, '104')
  await flow.source`ROLLBACK PREPARED 'given up'`
  await flow.source`COMMIT PREPARED 'kept'`
  await flow.source.begin(async (sql) => {
    await sql`UPDATE customers SET note = 'after the commit' WHERE id = 1`
    await insert(sql, 105, 'last')
  })
  await untilPublished(flow, '105')

  const histories = await readHistory(flow, 'customer')
  expect(staleTails('customer', histories)).toEqual([])
  expect(histories.has('102')).toBe(false)
  const early = histories.get('101')!
  // Prepared first and committed last: its place is that of the commit.
  expect(early.at(-1)!.version.position).toBeGreaterThan(histories.get('104')!.at(-1)!.version.position)
  const notes = histories.get('1')!.map(({ content }) => (JSON.parse(content!) as { note: string | null }).note)
  expect([...new Set(notes)]).toEqual([null, 'prepared early', 'after the commit'])
})
