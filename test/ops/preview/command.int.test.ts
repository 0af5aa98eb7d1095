import { afterAll, beforeAll, expect, test } from 'vitest'
import { CUSTOMERS, declareCustomers } from '../../flow/customers.ts'
import { expectError, expectReadable } from '../../support/cli.ts'
import { createFlow, eventually, type Flow } from '../../support/flow.ts'

let flow: Flow

const HOOK = `  hook:
    type: http
    url: https://hook.example
    entities: { customer: { target: "/customers/{key}" } }
`

beforeAll(async () => {
  flow = await createFlow((prefix) => declareCustomers(prefix), CUSTOMERS)
  await flow.provision()
  flow.writeDeclaration(declareCustomers(flow.prefix) + HOOK)
  flow.start('capture', 'erp')
  flow.start('deliver', 'warehouse')
  await eventually(async () => {
    const [row] = await flow.warehouse`SELECT count(*)::int AS count FROM customers`
    return row?.count === 20
  }, 'every customer is in the warehouse')
})

afterAll(() => flow?.close())

test('the ledger of each subscriber is seen; one that had nothing yet would get all of it, masked', async () => {
  await eventually(async () => {
    const { stdout } = await flow.run('preview', 'warehouse', 'customer', '7', '--json')
    return JSON.parse(stdout).ledger?.state === 'live'
  }, 'the ledger has it')
  const text = await flow.run('preview', 'hook', 'customer', '7')
  expect([text.code, text.stderr]).toEqual([0, ''])
  expect(text.stdout).toContain('PATCH https://hook.example/customers/7')
  expect(text.stdout).toContain('"credit": 8.75')
  expect(text.stdout).not.toContain('Persona')
  expectReadable(text.stdout)
  const personal = await flow.run('preview', 'hook', 'customer', '7', '--show-personal', '--json')
  expect(JSON.parse(JSON.parse(personal.stdout).request.body)).toMatchObject({ name: 'Persona 7' })
})

test('keys and names that are not there are said to be so', async () => {
  await expectError(['preview', 'hook', 'customer', '4711', '-f', flow.file], flow.env, {
    code: 'record-missing',
    exitCode: 1,
    says: ['has no record of this key', 'Check how the key is written'],
  })
  await expectError(['preview', 'hook', 'order', '7', '-f', flow.file], flow.env, {
    code: 'declaration-invalid',
    exitCode: 2,
    says: ['does not take order; it takes customer'],
  })
})
