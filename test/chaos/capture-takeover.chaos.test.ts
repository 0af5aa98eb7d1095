import { afterAll, beforeAll, expect, test } from 'vitest'
import { type KafkaAdmin, openAdmin } from '../../connectors/kafka/admin.ts'
import { createFlow, eventually, type Flow } from '../support/flow.ts'
import { untilQuiet } from '../support/quiet.ts'
import { differences } from '../support/rows.ts'
import { readHistory, staleTails } from '../support/topics/topic-history.ts'
import { declare, SOURCE_SQL, TABLES } from './workload/tables.ts'

let flow: Flow
let admin: KafkaAdmin

beforeAll(async () => {
  flow = await createFlow(declare, SOURCE_SQL)
  await flow.source`INSERT INTO articles SELECT i, 'one of many', 'body', 0 FROM generate_series(100, ${100 + ROWS}::int) i`
  await flow.provision()
  const { kafka, declaration } = flow.environment()
  admin = await openAdmin(kafka, declaration.kafka.brokers)
})

afterAll(async () => {
  await admin?.close()
  await flow?.close()
})

const ROUNDS = 4
const ROWS = 300
const BODY_CHARS = 20_000

/** How many records the topic of articles has had. */
async function published(): Promise<bigint> {
  return (await admin.topicOffsets(`${flow.prefix}.article`)).reduce((sum, { high }) => sum + high, 0n)
}

/** Ends the connection of the slot's holder, as the server does by itself when a reader is silent for a minute. */
async function untilSlotIsFree(): Promise<void> {
  await eventually(async () => {
    const [slot] = await flow.source<{ pid: number | null }[]>`
      SELECT active_pid AS pid FROM pg_replication_slots WHERE database = current_database()`
    if (slot!.pid !== null) await flow.source`SELECT pg_terminate_backend(${slot!.pid})`
    return slot!.pid === null
  }, 'the slot is free')
}

test('a capture that was frozen, replaced and wakes up puts no old version behind a newer one', {
  timeout: 300_000,
}, async () => {
  const delivery = flow.start('deliver', 'warehouse')
  let capture = flow.start('capture', 'erp')
  await untilQuiet(flow)
  for (let round = 0; round < ROUNDS; round++) {
    const frozen = capture
    // One transaction that takes several sends; it is frozen when the first of them is there.
    const before = await published()
    const burst =
      flow.source`UPDATE articles SET revision = revision + 1, body = repeat(${`${round} `}, ${BODY_CHARS / 2}::int)`.execute()
    while ((await published()) === before) if (frozen.child.exitCode !== null) throw new Error(frozen.log())
    frozen.kill('SIGSTOP')
    await burst
    await flow.source`UPDATE articles SET title = ${`after ${round}`}, body = 'short'`
    await untilSlotIsFree()
    capture = flow.start('capture', 'erp')
    await untilQuiet(flow)
    frozen.kill('SIGCONT')
    await eventually(() => frozen.log().includes('trying again'), 'the one that woke up has noticed', 60_000)
    frozen.kill('SIGTERM')
    expect(await frozen.exited, frozen.log()).toBe(0)
  }
  for (const { entity } of TABLES) expect(staleTails(entity, await readHistory(flow, entity))).toEqual([])
  await untilQuiet(flow)
  expect(await differences(flow, TABLES), delivery.log()).toEqual([])
  for (const one of [delivery, capture]) one.kill('SIGTERM')
  expect(await Promise.all([delivery.exited, capture.exited])).toEqual([0, 0])
})
