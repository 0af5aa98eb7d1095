import { afterAll, beforeAll, expect, test } from 'vitest'
import { openAdmin } from '../../../connectors/kafka/admin.ts'
import { consumerGroup } from '../../../schemas/topics.ts'
import { startSessions } from '../../chaos/workload/sessions.ts'
import { declare, SOURCE_SQL, TABLES } from '../../chaos/workload/tables.ts'
import { createFlow, eventually, type Flow } from '../../support/flow.ts'
import { ageLedger } from '../../support/old-ledger.ts'
import { untilQuiet } from '../../support/quiet.ts'
import { differences } from '../../support/rows.ts'
import { readHistory, staleTails } from '../../support/topics/topic-history.ts'

/** What a process has to end after SIGTERM. */
const STOP_WITHIN_MS = 45_000

let flow: Flow

beforeAll(async () => {
  flow = await createFlow(declare, SOURCE_SQL)
  await flow.provision()
  await ageLedger(flow)
})

afterAll(() => flow?.close())

/** Waits until something that was committed after this call has reached the warehouse. */
async function untilDelivering(what: string): Promise<void> {
  const [row] = await flow.source<{ id: string }[]>`
    INSERT INTO accounts (id, name) VALUES ((SELECT least(min(id), 0) - 1 - (random() * 1000000)::int FROM accounts), ${what}) RETURNING id::text`
  await eventually(
    async () => (await flow.warehouse`SELECT FROM accounts WHERE id = ${row!.id}::bigint`).length === 1,
    `a change arrives ${what}`,
    120_000,
  )
}

async function stopGracefully(one: ReturnType<Flow['start']>): Promise<void> {
  one.kill('SIGTERM')
  const late = AbortSignal.timeout(STOP_WITHIN_MS)
  const expired = new Promise<string>((resolve) => late.addEventListener('abort', () => resolve('late')))
  expect(await Promise.race([one.exited, expired]), one.log()).toBe(0)
}

/** Waits until a member waits for the lock on a table of the warehouse with a batch in hand, and has committed offsets meanwhile. */
async function untilHeldUp(): Promise<void> {
  const { kafka, declaration } = flow.environment()
  const admin = await openAdmin(kafka, declaration.kafka.brokers)
  const group = consumerGroup(flow.prefix, 'warehouse', 'standard')
  const committed = async () =>
    (await admin.groupLag(group, [`${flow.prefix}.stock`])).reduce((sum, row) => sum + (row.committed ?? 0n), 0n)
  try {
    await eventually(async () => {
      const waiting = await flow.warehouse`SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'tributary/%' AND wait_event_type = 'Lock'`
      return waiting.length > 0
    }, 'a member waits for the warehouse')
    const before = await committed()
    await eventually(async () => {
      await flow.source`UPDATE stock SET quantity = quantity + 1 WHERE item = 'i1'`
      return (await committed()) > before + 2n
    }, 'offsets are committed')
  } finally {
    await admin.close()
  }
}

test('of three processes of a subscriber one may stop and the others be killed, and capture restart, without loss', {
  timeout: 300_000,
}, async () => {
  let capture = flow.start('capture', 'erp')
  const [first, ...others] = [0, 1, 2].map(() => flow.start('deliver', 'warehouse'))
  const sessions = startSessions(flow, 7, 2)
  await untilDelivering('with three processes')
  await stopGracefully(first!)
  await untilDelivering('after one was stopped')
  await stopGracefully(capture)
  capture = flow.start('capture', 'erp')
  await untilDelivering('after capture was restarted')
  await sessions.stop()
  await untilQuiet(flow)
  // Killed with a batch in hand that it cannot finish.
  const lock = await flow.warehouse.reserve()
  await lock`BEGIN`
  await lock`LOCK TABLE articles IN EXCLUSIVE MODE`
  await flow.source`UPDATE articles SET title = 'in hand'`
  await flow.source`INSERT INTO stock VALUES ('here', 'i1', 0) ON CONFLICT DO NOTHING`
  await untilHeldUp()
  for (const one of others) one.kill('SIGKILL')
  await Promise.all(others.map(({ exited }) => exited))
  // What the killed ones had sent to the server waits there; it ends with them.
  await flow.warehouse`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'tributary/%'`
  await lock`ROLLBACK`
  lock.release()
  const last = flow.start('deliver', 'warehouse')
  await untilQuiet(flow)
  expect(await differences(flow, TABLES), `${capture.log()}\n${last.log()}`).toEqual([])
  for (const { entity } of TABLES) expect(staleTails(entity, await readHistory(flow, entity))).toEqual([])
  await Promise.all([stopGracefully(capture), stopGracefully(last)])
})
