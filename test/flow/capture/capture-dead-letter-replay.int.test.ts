import { afterAll, beforeAll, expect, test } from 'vitest'
import { createFlow, eventually, type Flow, type FlowProcess } from '../../support/flow.ts'
import { CUSTOMERS, declareCustomers } from '../customers.ts'

let flow: Flow
let running: FlowProcess

beforeAll(async () => {
  flow = await createFlow(
    declareCustomers,
    `${CUSTOMERS} UPDATE customers SET credit = 'NaN' WHERE id IN (1, 2, 3, 4);`,
  )
  await flow.provision()
  running = flow.start('run')
  await eventually(
    async () => (await open()).length === 4,
    () => `the rows of the snapshot are dead letters\n${running.log()}`,
    60_000,
  )
})

afterAll(async () => {
  await flow?.close()
})

interface Listed {
  readonly key: string
  readonly version: string
}

async function open(): Promise<readonly Listed[]> {
  const { stdout } = await flow.run('dlq', 'list', 'erp', '--json')
  return (JSON.parse(stdout) as { entries: Listed[] }).entries.toSorted((a, b) => Number(a.key) - Number(b.key))
}

async function replay(...args: string[]) {
  const { code, stdout, stderr } = await flow.run('dlq', 'replay', 'erp', ...args, '--json')
  return { code, answer: JSON.parse(stdout), stderr }
}

/** Changes that the log has and the stream leaves out: what a row looks like that was corrected without an event. */
async function unseen(change: () => Promise<unknown>): Promise<void> {
  const { publication } = flow.declaration().sources.get('erp')!
  await flow.source.unsafe(`ALTER PUBLICATION "${publication}" SET (publish = 'insert')`)
  await change()
  await flow.source.unsafe(`ALTER PUBLICATION "${publication}" SET (publish = 'insert, update, delete, truncate')`)
}

const creditThere = async (id: number) =>
  (await flow.warehouse`SELECT credit::text FROM customers WHERE id = ${id}`)[0]?.credit

test('a row that is still bad keeps its dead letter, with a newer version, and replay says why', async () => {
  const [before] = await open()
  const { code, answer } = await replay('customer', '1')
  expect([code, answer.ok, answer.cleared, answer.stillUnencodable]).toEqual([1, false, 0, 1])
  expect(answer.remaining).toMatchObject([
    { key: '1', field: 'credit', reason: 'it is not a finite number, which decimal(12,2) needs' },
  ])
  const [after] = await open()
  expect(after!.key).toBe('1')
  expect(after!.version).not.toBe(before!.version)
})

test('a row that was corrected without an event is published, and its dead letter is gone', async () => {
  await unseen(() => flow.source`UPDATE customers SET credit = 4.5 WHERE id = 2`)
  const shown = await flow.run('dlq', 'show', 'erp', 'customer', '2')
  expect(shown.stdout).toContain('would be encoded now')
  const { code, answer } = await replay('customer', '2')
  expect([code, answer.ok, answer.cleared]).toEqual([0, true, 1])
  await eventually(async () => (await creditThere(2)) === '4.50', 'it is at the warehouse', 30_000)
  expect((await open()).map(({ key }) => key)).toEqual(['1', '3', '4'])
})

test('a row that is gone ends its dead letter, and one that is bad beside it stays; the stream goes on in between', async () => {
  await unseen(() => flow.source`DELETE FROM customers WHERE id = 3`)
  await flow.source`UPDATE customers SET credit = 8 WHERE id = 8`
  const { code, answer } = await replay()
  expect([code, answer.rows, answer.cleared, answer.stillUnencodable]).toEqual([1, 3, 1, 2])
  expect((await open()).map(({ key }) => key)).toEqual(['1', '4'])
  await flow.source`UPDATE customers SET credit = 1 WHERE id IN (1, 4)`
  await eventually(async () => (await open()).length === 0, 'all are ended', 30_000)
  await eventually(async () => (await creditThere(8)) === '8.00', 'the change in between is there', 30_000)
})

test('asked for while capture is away, rows are read again when it comes back', async () => {
  await flow.source`UPDATE customers SET credit = 'NaN' WHERE id = 5`
  await eventually(async () => (await open()).length === 1, 'it is a dead letter', 30_000)
  running.kill('SIGTERM')
  await running.exited
  await unseen(() => flow.source`UPDATE customers SET credit = 5 WHERE id = 5`)
  const { answer } = await replay('--no-wait')
  expect(answer).toMatchObject({ ok: true, rows: 1, requests: 1 })
  running = flow.start('run')
  await eventually(
    async () => (await open()).length === 0,
    () => `it is ended\n${running.log()}`,
    40_000,
  )
  await eventually(async () => (await creditThere(5)) === '5.00', 'it is at the warehouse', 30_000)
})
