import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type CliProcess,
  closedPort,
  expectError,
  expectReadable,
  runCli,
  silentPort,
  startCli,
} from '../support/cli.ts'
import { createFlow, eventually, type Flow } from '../support/flow.ts'
import { CUSTOMERS, declareCustomers } from './customers.ts'

let flow: Flow
let closed: number
let silent: Awaited<ReturnType<typeof silentPort>>

/** A service at a port that is not its own, with a password in the address where one can be. */
const SECRET = 'hunter2secret'
const AT: Readonly<Record<string, (port: number) => NodeJS.ProcessEnv>> = {
  'the broker': (port) => ({ TRIBUTARY_KAFKA_BROKERS: `127.0.0.1:${port}` }),
  'the registry': (port) => ({ TRIBUTARY_REGISTRY_URL: `http://someone:${SECRET}@127.0.0.1:${port}/apis/ccompat/v7` }),
  Redis: (port) => ({ TRIBUTARY_REDIS_URL: `redis://someone:${SECRET}@127.0.0.1:${port}` }),
  'the source': (port) => ({ ERP_URL: `postgres://someone:${SECRET}@127.0.0.1:${port}/erp` }),
  'the warehouse': (port) => ({ WAREHOUSE_URL: `postgres://someone:${SECRET}@127.0.0.1:${port}/dwh` }),
}
const CODE = {
  'the broker': 'kafka-unreachable',
  'the registry': 'registry-unreachable',
  Redis: 'ledger-unreachable',
  'the source': 'source-unreachable',
  'the warehouse': 'destination-unreachable',
} as const
type Service = keyof typeof CODE

beforeAll(async () => {
  flow = await createFlow(declareCustomers, CUSTOMERS)
  await flow.provision()
  closed = await closedPort()
  silent = await silentPort()
})

afterAll(async () => {
  silent?.close()
  await flow?.close()
})

const PORTS = [
  ['refuses', () => closed],
  ['never answers', () => silent.port],
] as const

for (const [how, port] of PORTS) {
  test.concurrent.each<Service>(['the broker', 'the registry', 'the source', 'the warehouse'])(
    `provision ends with one error when %s ${how}`,
    async (service) => {
      await expectError(['provision', '-f', flow.file], env(service, port()), {
        code: CODE[service],
        exitCode: 1,
        says: [/does not answer|No Kafka broker answers/, /[Cc]heck .+ run/],
        hides: [SECRET],
      })
    },
  )

  test.concurrent.each<Service>(['the broker', 'the registry', 'Redis', 'the source', 'the warehouse'])(
    `status shows the rest when %s ${how}`,
    async (service) => {
      const surroundings = env(service, port())
      const [text, json] = await Promise.all([
        runCli(['status', '-f', flow.file], surroundings),
        runCli(['status', '-f', flow.file, '--json'], surroundings),
      ])
      expect([text.code, json.code, text.stderr, json.stderr]).toStrictEqual([1, 1, '', ''])
      expect(text.stdout).toMatch(/^SOURCE .*\nerp /)
      expect(text.stdout).toMatch(/^! .*(does not answer|No Kafka broker answers)/m)
      expect(text.stdout + json.stdout).not.toContain(SECRET)
      expectReadable(text.stdout)
      const status = JSON.parse(json.stdout)
      expect([status.ok, status.error.code, status.failures.length]).toStrictEqual([false, CODE[service], 1])
      expect(status.sources[0].slot === null).toBe(service === 'the source')
      expect(status.subscribers[0].lagRecords === null).toBe(service === 'the broker')
      expect(status.subscribers[0].ledgerAnswers).toBe(service !== 'Redis')
    },
  )

  test(`capture and deliver say why they wait when something ${how}, and end when asked`, async () => {
    const cases: [Service, string[]][] = [
      ['the broker', ['capture', 'erp']],
      ['the registry', ['capture', 'erp']],
      ['the source', ['capture', 'erp']],
      ['the broker', ['deliver', 'warehouse']],
      ['the registry', ['deliver', 'warehouse']],
      ['Redis', ['deliver', 'warehouse']],
      ['the warehouse', ['deliver', 'warehouse']],
    ]
    const started = cases.map(([service, args]): [Service, CliProcess] => [
      service,
      startCli([...args, '-f', flow.file, '--port', '0', '--json'], env(service, port())),
    ])
    for (const [service, process] of started) {
      const what = `the reason of ${CODE[service]}`
      await eventually(() => reasons(process).length > 1, what, 50_000).catch((error) => {
        throw new Error(process.stderr(), { cause: error })
      })
    }
    const ended = await Promise.all(started.map(([, process]) => process.stop()))
    for (const [index, { code, stdout, stderr }] of ended.entries()) {
      // It never ran, so it has not said that it does.
      expect([code, stdout], stderr).toStrictEqual([0, ''])
      expect(stderr).not.toContain(SECRET)
      expect(stderr).not.toContain('kafkajs')
      for (const reason of reasons(started[index]![1]))
        expect(reason).toMatch(/(does not answer|No Kafka broker answers).+[Cc]heck .+ run/)
    }
  })
}

function env(service: Service, port: number): NodeJS.ProcessEnv {
  return { ...flow.env, ...AT[service]!(port) }
}

/** The reasons that the log gives, an attempt each. */
function reasons(process: CliProcess): string[] {
  return process
    .stderr()
    .split('\n')
    .filter((line) => line.includes('"level":40') && line.endsWith('}'))
    .flatMap((line) => JSON.parse(line).reason ?? [])
}
