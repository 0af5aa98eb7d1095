import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSessions } from '../chaos/workload/sessions.ts'
import { declare, SOURCE_SQL, TABLES } from '../chaos/workload/tables.ts'
import { createFlow, eventually, type Flow } from '../support/flow.ts'
import { untilQuiet } from '../support/quiet.ts'
import { differences } from '../support/rows.ts'
import { readHistory, staleTails } from '../support/topic-history.ts'

/** What a process has to end after SIGTERM. */
const STOP_WITHIN_MS = 15_000

let flow: Flow

beforeAll(async () => {
  flow = await createFlow(declare, SOURCE_SQL)
  await flow.provision()
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

test('three processes share a subscriber; one may stop, another be killed, and capture restart, without loss', {
  timeout: 300_000,
}, async () => {
  let capture = flow.start('capture', 'erp')
  const [first, second, third] = [0, 1, 2].map(() => flow.start('deliver', 'warehouse')) as [
    ReturnType<Flow['start']>,
    ReturnType<Flow['start']>,
    ReturnType<Flow['start']>,
  ]
  const sessions = startSessions(flow, 7, 2)
  await untilDelivering('with three processes')
  await stopGracefully(first)
  await untilDelivering('after one was stopped')
  second.kill('SIGKILL')
  await second.exited
  await stopGracefully(capture)
  capture = flow.start('capture', 'erp')
  await untilDelivering('after one was killed and capture was restarted')
  await sessions.stop()
  await untilQuiet(flow)
  expect(await differences(flow, TABLES), `${capture.log()}\n${third.log()}`).toEqual([])
  for (const { entity } of TABLES) expect(staleTails(entity, await readHistory(flow, entity))).toEqual([])
  await Promise.all([stopGracefully(capture), stopGracefully(third)])
})
