import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ListedLetter } from '../../../ops/dead-letters/capture/list.ts'
import { createFlow, eventually, type Flow, type FlowProcess } from '../../support/flow.ts'
import { CUSTOMERS, declareCustomers } from '../customers.ts'

let flow: Flow
let running: FlowProcess

beforeAll(async () => {
  flow = await createFlow(declareCustomers, `${CUSTOMERS} UPDATE customers SET credit = 'NaN' WHERE id = 5;`)
  await flow.provision()
  running = flow.start('run')
})

afterAll(async () => {
  await flow?.close()
})

async function listed(): Promise<readonly ListedLetter[]> {
  const { stdout } = await flow.run('dlq', 'list', 'erp', '--json')
  return JSON.parse(stdout).entries
}

const openKeys = async () => (await listed()).map(({ key }) => key).sort()

async function untilOpen(keys: readonly string[]): Promise<void> {
  let last: readonly string[] = []
  const same = async () => {
    last = await openKeys()
    return last.join() === keys.join()
  }
  await eventually(same, () => `open are ${last.join()}, not ${keys.join()}\n${running.log()}`, 40_000)
}

async function untilCredit(id: number, credit: string): Promise<void> {
  await eventually(
    async () => {
      const [row] = await flow.warehouse`SELECT credit::text FROM customers WHERE id = ${id}`
      return row?.credit === credit
    },
    () => `customer ${id} has credit ${credit} at the warehouse\n${running.log()}`,
    30_000,
  )
}

/** The value of the gauge of open dead letters. */
async function openGauge(): Promise<string | undefined> {
  const url = /"url":"(http:[^"]+)"/.exec(running.log())![1]
  const text = await (await fetch(`${url}/metrics`)).text()
  return /^tributary_capture_dead_letters_open\{source="erp",entity="customer"\} (\d+)$/m.exec(text)?.[1]
}

test('a row that cannot be encoded becomes a dead letter, of a snapshot and of a change; everything else goes on', async () => {
  await untilCredit(20, '25.00')
  await flow.source`UPDATE customers SET credit = 'NaN' WHERE id = 1`
  await flow.source`UPDATE customers SET credit = 9 WHERE id = 2`
  await untilCredit(2, '9.00')
  await untilCredit(1, '1.25')
  await untilOpen(['1', '5'])
  expect(await listed()).toMatchObject([
    { field: 'credit', reason: 'it is not a finite number, which decimal(12,2) needs' },
    { field: 'credit', reason: 'it is not a finite number, which decimal(12,2) needs' },
  ])
  expect(running.log()).toContain('cannot be encoded')
  expect(await openGauge()).toBe('2')
  expect(running.log()).not.toMatch(/Persona \d/)
})

test('show names the field, and no personal value', async () => {
  const { code, stdout } = await flow.run('dlq', 'show', 'erp', 'customer', '1')
  expect(code).toBe(0)
  expect(stdout).toMatch(/credit +decimal\(12,2\) +does not fit/)
  expect(stdout).not.toMatch(/Persona \d/)
})

test('corrected at the source, the row is published and its dead letter is gone', async () => {
  await flow.source`UPDATE customers SET credit = 7 WHERE id = 1`
  await untilCredit(1, '7.00')
  await untilOpen(['5'])
})

test('a row that fails hundreds of times is one dead letter and a line or two; its delete ends it', async () => {
  for (let time = 0; time < 300; time++)
    await flow.source`UPDATE customers SET credit = 'NaN', note = ${time} WHERE id = 3`
  await flow.source`UPDATE customers SET credit = 8 WHERE id = 2`
  await untilCredit(2, '8.00')
  await untilOpen(['3', '5'])
  expect(running.log().match(/cannot be encoded/g)!.length).toBeLessThan(4)
  await flow.source`DELETE FROM customers WHERE id = 3`
  await untilOpen(['5'])
})

test('a capture process that was killed and started again still knows what is open', async () => {
  running.kill('SIGKILL')
  await running.exited
  await flow.source`UPDATE customers SET credit = 'NaN' WHERE id = 6`
  running = flow.start('run')
  await untilOpen(['5', '6'])
  await flow.source`UPDATE customers SET credit = 5 WHERE id = 5`
  await flow.source`UPDATE customers SET credit = 6 WHERE id = 6`
  await untilCredit(5, '5.00')
  await untilCredit(6, '6.00')
  await untilOpen([])
  expect(await openGauge()).toBeUndefined()
})
