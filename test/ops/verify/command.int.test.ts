import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type OwnTopics, ownTopics } from '../../connectors/kafka/own-topics.ts'
import { closedPort, expectError, expectReadable, runCli } from '../../support/cli.ts'
import { at, valueAt } from '../../support/topics/topic-records.ts'

const PERSONAL_KEY = 'ada@example.org'
let own: OwnTopics
let folder: string
let file: string

const declaration = (name: string) => `
name: ${name}
kafka: { brokers: "\${TRIBUTARY_KAFKA_BROKERS}", replication: 1 }
registry: { url: "\${TRIBUTARY_REGISTRY_URL}" }
redis: { url: "\${TRIBUTARY_REDIS_URL}" }
ledger: { fingerprintKey: a key for tests only 32 characters }
sources:
  erp: { type: postgres, url: "\${TRIBUTARY_POSTGRES_URL}" }
entities:
  empty: { source: erp, table: empty, key: id, owner: test, freshness: 15m, fields: { id: int64 } }
  order: { source: erp, table: orders, key: id, owner: test, freshness: 15m, fields: { id: int64 } }
  person:
    source: erp
    table: people
    key: email
    owner: test
    freshness: 15m
    fields: { email: { type: string, personal: true } }
subscribers: {}
`

beforeAll(async () => {
  own = await ownTopics()
  folder = mkdtempSync(join(tmpdir(), 'tributary-verify-'))
  file = join(folder, 'tributary.yaml')
  writeFileSync(file, declaration(own.name('').slice(0, -1)))
  await own.make('empty')
  const [order, person] = [await own.make('order'), await own.make('person')]
  const record = (topic: string, key: string, position: number) => {
    return { topic, key, value: valueAt(at(position)), headers: {} }
  }
  await own.send([1, 2].map((position) => record(order, '4711', position)))
  await own.send([2, 1].map((position) => record(person, PERSONAL_KEY, position)))
})

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await own?.close()
})

const verify = (...args: string[]) => runCli(['verify', ...args, '-f', file], process.env)

test('topics in order, one without records among them, end with exit code 0', async () => {
  const [order, empty] = await Promise.all([verify('order'), verify('empty', '--json')])
  expect([order.code, order.stderr]).toEqual([0, ''])
  expect(order.stdout).toContain('order: in order')
  expect(order.stdout).toContain('2 records, 1 key: 1 live, 0 deleted')
  expect(empty.code).toBe(0)
  expect(JSON.parse(empty.stdout)).toMatchObject({ ok: true, entities: [{ entity: 'empty', ok: true, records: 0 }] })
})

test('without an entity all are verified; a personal key is named by what stands for it, unless it is asked for', async () => {
  const [text, json, shown] = await Promise.all([verify(), verify('--json'), verify('person', '--show-keys')])
  expect([text.code, json.code, shown.code]).toEqual([1, 1, 1])
  expect(text.stdout).toContain('order: in order')
  expect(text.stdout).toContain('person: WRONG')
  expect(text.stdout).toMatch(
    /key #[0-9a-f]{16}\n {6}partition 0: last 1\/1\/0 at offset 1, newest 1\/2\/0 at offset 0/,
  )
  expectReadable(text.stdout)
  const envelope = JSON.parse(json.stdout)
  expect(envelope).toMatchObject({ ok: false, error: { code: 'topic-out-of-order' } })
  expect(envelope.entities.map(({ entity }: { entity: string }) => entity)).toEqual(['empty', 'order', 'person'])
  for (const { stdout, stderr } of [text, json]) expect(stdout + stderr).not.toContain(PERSONAL_KEY)
  expect(shown.stdout).toContain(`key "${PERSONAL_KEY}"`)
})

test('no more than --limit are named', async () => {
  const { code, stdout } = await verify('person', '--limit', '0')
  expect(code).toBe(1)
  expect(stdout).toContain('1 key with an older version last')
  expect(stdout).toContain('and 1 more (--limit)')
  expect(stdout).not.toContain('#')
})

test('an entity that is not declared is named, with those that are', async () => {
  await expectError(['verify', 'invoice', '-f', file], process.env, {
    code: 'declaration-invalid',
    exitCode: 2,
    says: ['invoice', 'empty, order, person'],
  })
})

test('without Kafka it says what to do', async () => {
  const brokers = `127.0.0.1:${await closedPort()}`
  await expectError(
    ['verify', 'order', '-f', file],
    { ...process.env, TRIBUTARY_KAFKA_BROKERS: brokers },
    {
      code: 'kafka-unreachable',
      exitCode: 1,
      says: [brokers, 'Check kafka.brokers'],
    },
  )
})
