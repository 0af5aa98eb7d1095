import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseProgress } from '../../../connectors/postgres/snapshot/progress.ts'
import { verifyTopic } from '../../../ops/verify/verify-topic.ts'
import { loadStored } from '../../../producers/positions.ts'
import { createFlow, eventually, type Flow, type FlowProcess } from '../../support/flow.ts'
import { untilQuiet } from '../../support/quiet.ts'
import { differences } from '../../support/rows.ts'
import { CUSTOMERS, declareCustomers } from '../customers.ts'

const TABLES = [
  { source: 'customers', warehouse: 'customers', key: ['id'], columns: ['id', 'name', 'credit', 'note'] },
] as const
const WIDTH_MAX = 100

let flow: Flow
let delivery: FlowProcess

beforeAll(async () => {
  flow = await createFlow(declareCustomers, CUSTOMERS)
  await flow.provision()
})
afterAll(async () => await flow?.close())

interface Line {
  readonly msg: string
  readonly code?: string
  readonly reason?: string
  readonly inMs?: number
  readonly url?: string
}

function lines(running: FlowProcess): readonly Line[] {
  return running
    .log()
    .split('\n')
    .flatMap((line): Line[] => (line.startsWith('{') && line.endsWith('}') ? [JSON.parse(line)] : []))
}

const lost = (running: FlowProcess) => lines(running).filter(({ code }) => code === 'history-lost')

async function stop(running: FlowProcess): Promise<void> {
  running.kill('SIGTERM')
  expect(await running.exited, running.log()).toBe(0)
}

/** Drops the slot, with changes before and after that no capture sees. */
async function loseSlot(round: number): Promise<void> {
  await flow.source`UPDATE customers SET credit = credit + 1 WHERE id % 3 = 0`
  await flow.source`DELETE FROM customers WHERE id = ${round}`
  await flow.source`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()`
  await flow.source`INSERT INTO customers VALUES (${100 + round}, 'unseen', 1, NULL)`
  await flow.source`DELETE FROM customers WHERE id = ${10 + round}`
}

/** Waits until everything was read in this epoch, and all of it is at the warehouse. */
async function expectSame(epoch: number): Promise<void> {
  const { kafka, declaration } = flow.environment()
  await eventually(
    async () => {
      const { values } = await loadStored(kafka, declaration.kafka.brokers, declaration.name, 'erp')
      const progress = parseProgress(values.get('snapshot/customer'))
      return progress?.epoch === epoch && progress.running === null
    },
    () => `the snapshot of epoch ${epoch}`,
  )
  await untilQuiet(flow)
  expect(await differences(flow, TABLES), delivery.log()).toEqual([])
  const verdict = await verifyTopic(kafka, declaration.kafka.brokers, `${flow.prefix}.customer`)
  const [count] = await flow.source`SELECT count(*)::int AS rows FROM customers`
  expect(verdict).toMatchObject({ ok: true, liveKeys: count!.rows })
}

test('a slot lost while capture was stopped is told once, and the warehouse is right in the end', async () => {
  const never = await flow.run('recover', 'erp')
  expect(never).toMatchObject({ code: 2, stdout: '' })
  expect(never.stderr).toContain('has not been captured yet')
  delivery = flow.start('deliver', 'warehouse')
  const capture = flow.start('capture', 'erp')
  await expectSame(1)
  await stop(capture)
  await loseSlot(1)
  const again = flow.start('capture', 'erp')
  await expectSame(2)
  expect(lost(again)).toEqual([
    expect.objectContaining({ msg: expect.stringMatching(/does not exist any more\. .* a new epoch \(2\) begins/) }),
  ])
  expect(lines(again).filter(({ msg }) => msg.includes('trying again'))).toEqual([])
  await stop(again)
})

test('held, it waits for a person, not ready and ever more slowly, and goes on after tributary recover', {
  timeout: 120_000,
}, async () => {
  flow.writeDeclaration(
    declareCustomers(flow.prefix).replace('type: postgres,', 'type: postgres, onLostHistory: hold,'),
  )
  await loseSlot(2)
  const held = flow.start('capture', 'erp')
  const retries = () => lines(held).filter(({ msg }) => msg.includes('trying again'))
  await eventually(() => retries().length >= 4, held.log)
  const waits = retries().map(({ inMs }) => inMs!)
  expect(waits.slice(0, 4)).toEqual([500, 1_000, 2_000, 4_000])
  expect(new Set(retries().map(({ reason }) => reason)).size).toBe(1)
  expect(retries()[0]!.reason).toMatch(/^source "erp" is held: replication slot "\S+" does not exist any more\./)
  expect(retries()[0]!.reason).toMatch(/run: tributary recover erp$/)
  const { url } = lines(held).find((line) => line.url !== undefined)!
  const ready = await fetch(`${url}/readyz`)
  expect(ready.status).toBe(503)
  expect(await ready.json()).toMatchObject({ reasons: { 'capture erp': retries()[0]!.reason } })
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
  const slots = await flow.source`SELECT FROM pg_replication_slots WHERE database = current_database()`
  expect(slots).toHaveLength(0)

  const recovered = await flow.run('recover', 'erp')
  expect(recovered).toMatchObject({ code: 0, stderr: '' })
  expect(recovered.stdout).toContain('epoch 3')
  for (const line of recovered.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(WIDTH_MAX)
  await expectSame(3)
  expect(lost(held)).toEqual([
    expect.objectContaining({ msg: expect.stringContaining('a person asked for a new beginning') }),
  ])
  expect((await fetch(`${url}/readyz`)).status).toBe(200)
  await stop(held)
  await stop(delivery)
})
