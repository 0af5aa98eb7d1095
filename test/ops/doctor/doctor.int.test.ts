import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { openAdmin } from '../../../connectors/kafka/admin.ts'
import { loadDeclaration } from '../../../ops/declaration/declaration.ts'
import { ANSWER_MS_MAX } from '../../../ops/doctor/answer.ts'
import { checksNamed } from '../../../ops/doctor/checks.ts'
import { examinePipeline } from '../../../ops/doctor/doctor.ts'
import type { Finding } from '../../../ops/doctor/finding.ts'
import { createEnvironment } from '../../../ops/process/environment.ts'
import { closedPort, expectReadable, silentPort } from '../../support/cli.ts'
import { createFlow, eventually, type Flow, onLocalErp } from '../../support/flow.ts'
import { untilQuiet } from '../../support/quiet.ts'
import { startOwnStack } from '../../support/servers/own-stack.ts'

const declare = (prefix: string) => `
${onLocalErp(prefix)}
entities:
  customer:
    source: erp
    table: customers
    key: id
    owner: sales
    freshness: 15m
    partitions: 2
    fields: { id: int64, credit: int64 }
  order:
    source: erp
    table: orders
    key: id
    owner: order-desk
    freshness: 15m
    partitions: 1
    fields: { id: int64, total: int64 }
subscribers:
  warehouse:
    type: warehouse
    url: "\${WAREHOUSE_URL}"
    entities: { customer: { table: customers }, order: { table: orders } }
`

const SOURCE_SQL = `
  CREATE TABLE customers (id bigint PRIMARY KEY, credit bigint);
  CREATE TABLE orders (id bigint PRIMARY KEY, total bigint);
  ALTER TABLE customers REPLICA IDENTITY FULL;
  ALTER TABLE orders REPLICA IDENTITY FULL;
  INSERT INTO customers SELECT g, 0 FROM generate_series(1, 20) g;
  INSERT INTO orders SELECT g, 0 FROM generate_series(1, 5) g`

/** What is not well, of one check or area. */
async function wrong(flow: Flow, name?: string, env = flow.env): Promise<readonly Finding[]> {
  const environment = createEnvironment(loadDeclaration(flow.file, env), () => {})
  const findings = await examinePipeline(environment, checksNamed(name))
  return findings.filter(({ result }) => result !== 'ok')
}

const told = (findings: readonly Finding[]) =>
  findings.map(({ name, subject, result }) => `${result} ${name} ${subject}`)

test('a pipeline that runs is well; what is then broken is named, each with its command', {
  timeout: 300_000,
}, async () => {
  const stack = await startOwnStack({ services: ['redis'] })
  const flow = await createFlow(declare, SOURCE_SQL, { TRIBUTARY_REDIS_URL: stack.addresses.redisUrl })
  onTestFinished(() => flow.close())
  const { prefix } = flow

  expect(told(await wrong(flow))).toEqual(
    expect.arrayContaining([
      'fail source-publication erp',
      'fail kafka-topics kafka',
      `fail registry-schemas ${prefix}.order-value`,
      'fail subscriber-system warehouse',
      'warn source-slot erp',
      'unknown subscriber-delivery warehouse',
    ]),
  )
  await flow.provision()
  const capturing = flow.start('capture', 'erp')
  const delivering = flow.start('deliver', 'warehouse')
  await untilQuiet(flow)
  // The local server sets no limit to the log that it keeps.
  await eventually(
    async () => told(await wrong(flow)).join() === 'warn source-log erp',
    'all is well but for what the local server lacks',
  )
  const healthy = await flow.run('doctor')
  expect(healthy.code, healthy.stdout + healthy.stderr).toBe(0)
  expect(healthy.stdout).toMatch(/^\d+ checks: 1 warn, \d+ ok$/m)
  expectReadable(healthy.stdout)

  delivering.kill('SIGTERM')
  await delivering.exited
  await flow.source`UPDATE customers SET credit = 5`
  await eventually(async () => (await wrong(flow, 'subscriber-delivery'))[0]?.result === 'fail', 'records wait')
  expect(await wrong(flow, 'subscriber-delivery')).toMatchObject([
    {
      subject: 'warehouse customer',
      found: expect.stringMatching(/^nobody delivers: \d+ records/),
      todo: 'tributary deliver warehouse',
    },
  ])
  capturing.kill('SIGTERM')
  await capturing.exited

  await flow.source.unsafe(`ALTER PUBLICATION tributary_${prefix}_erp DROP TABLE orders`)
  await flow.source.unsafe('ALTER TABLE customers REPLICA IDENTITY DEFAULT')
  const statement = `ALTER PUBLICATION "tributary_${prefix}_erp" ADD TABLE "public"."orders"`
  expect((await wrong(flow, 'source')).map(({ subject, todo }) => [subject, todo])).toEqual([
    ['erp public.orders', `tributary provision\nor, as the owner of the tables: ${statement}`],
    ['erp public.customers', 'ALTER TABLE customers REPLICA IDENTITY FULL'],
    ['erp', 'tributary capture erp'],
    ['erp', expect.stringContaining('max_slot_wal_keep_size')],
  ])

  const redis = new Redis(stack.addresses.redisUrl)
  await redis.config('SET', 'maxmemory-policy', 'allkeys-lru')
  expect(told(await wrong(flow, 'ledger'))).toEqual(['warn ledger-eviction redis'])
  await redis.config('SET', 'maxmemory', '512mb')
  await redis.config('SET', 'appendonly', 'no')
  redis.disconnect()
  expect(told(await wrong(flow, 'ledger'))).toEqual(['fail ledger-eviction redis', 'warn ledger-persistence redis'])

  const { kafka, declaration } = flow.environment()
  const admin = await openAdmin(kafka, declaration.kafka.brokers)
  await admin.alterTopic(`${prefix}.order`, { 'cleanup.policy': 'delete' })
  await admin.close()
  const library = kafka.admin()
  await library.connect()
  await library.deleteTopics({ topics: [`${prefix}.warehouse.commands`] })
  await library.disconnect()
  await eventually(async () => (await wrong(flow, 'kafka')).length === 2, 'the topic is gone')
  expect(told(await wrong(flow, 'kafka'))).toEqual([
    `fail kafka-topics ${prefix}.warehouse.commands`,
    `fail kafka-topics ${prefix}.order`,
  ])

  const subject = `${prefix}.customer-value`
  await fetch(`${declaration.registry.url}/config/${subject}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: '{"compatibility":"NONE"}',
  })
  expect(await wrong(flow, 'registry')).toMatchObject([
    {
      name: 'registry-compatibility',
      subject,
      found: expect.stringContaining('NONE'),
      todo: expect.stringContaining('curl -X PUT'),
    },
  ])

  const role = `${prefix}_reader`
  await flow.source.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD 'secret';
    REVOKE EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text, boolean) FROM PUBLIC`)
  onTestFinished(async () => {
    await flow.source.unsafe(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
  })
  const url = Object.assign(new URL(flow.sourceUrl), { username: role, password: 'secret' })
  const rights = () => wrong(flow, 'source-rights', { ...flow.env, ERP_URL: url.href })
  const lacking = await rights()
  expect(lacking.map(({ result, todo }) => [result, todo])).toEqual([
    ['fail', expect.stringMatching(`^ALTER ROLE "${role}" REPLICATION`)],
    ['fail', expect.stringContaining(`GRANT SELECT ON "public"."customers" TO "${role}"`)],
    ['fail', expect.stringContaining(`GRANT SELECT ON "public"."orders" TO "${role}"`)],
    ['warn', expect.stringMatching(`^GRANT EXECUTE ON FUNCTION .* TO "${role}"$`)],
  ])
  for (const { todo } of lacking) await flow.source.unsafe(todo!.replace(/ \(Amazon RDS.*/, ''))
  expect(await rights()).toEqual([])

  const [text, json] = await Promise.all([flow.run('doctor'), flow.run('doctor', '--json')])
  expect([text.code, json.code]).toEqual([1, 1])
  expectReadable(text.stdout)
  const both = JSON.parse(json.stdout) as { ok: boolean; checks: Finding[] }
  expect(both.ok).toBe(false)
  expect(told(both.checks.filter(({ result }) => result === 'fail'))).toEqual([
    'fail source-publication erp public.orders',
    `fail kafka-topics ${prefix}.warehouse.commands`,
    `fail kafka-topics ${prefix}.order`,
    `fail registry-compatibility ${subject}`,
    'fail ledger-eviction redis',
    'fail subscriber-delivery warehouse customer',
  ])
  const flat = text.stdout.replaceAll(/\n\s+/g, ' ')
  for (const { todo } of both.checks) if (todo !== null) expect(flat).toContain(todo.replaceAll(/\n/g, ' '))

  await flow.source.unsafe(`${statement}; ALTER TABLE customers REPLICA IDENTITY FULL`)
  await flow.provision()
  expect(told([...(await wrong(flow, 'source')), ...(await wrong(flow, 'kafka'))])).toEqual([
    'warn source-slot erp',
    'warn source-log erp',
  ])
})

test('a server that does not answer fails once; what it was to be asked is not known', {
  timeout: 120_000,
}, async () => {
  const flow = await createFlow(declare, SOURCE_SQL)
  onTestFinished(() => flow.close())
  const port = await closedPort()
  const away = {
    ...flow.env,
    ERP_URL: `postgres://erp:secret@127.0.0.1:${port}/erp`,
    TRIBUTARY_REDIS_URL: `redis://127.0.0.1:${port}`,
    TRIBUTARY_REGISTRY_URL: `http://127.0.0.1:${port}`,
  }
  const findings = await wrong(flow, undefined, away)
  const failing = findings.filter(({ result }) => result === 'fail').map(({ name }) => name)
  expect(failing).toEqual(expect.arrayContaining(['source-server', 'registry-server', 'ledger-server']))
  expect(told(findings)).toEqual(
    expect.arrayContaining([
      'unknown source-slot erp',
      'unknown registry-schemas registry',
      'unknown ledger-memory redis',
    ]),
  )
  expect(JSON.stringify(findings)).not.toContain('secret')
})

test('servers that take connections and say nothing are given up side by side', { timeout: 120_000 }, async () => {
  const flow = await createFlow(declare, SOURCE_SQL)
  onTestFinished(() => flow.close())
  const silent = await silentPort()
  onTestFinished(() => silent.close())
  const mute = {
    ...flow.env,
    ERP_URL: `postgres://erp@127.0.0.1:${silent.port}/erp`,
    WAREHOUSE_URL: `postgres://warehouse@127.0.0.1:${silent.port}/warehouse`,
    TRIBUTARY_KAFKA_BROKERS: `127.0.0.1:${silent.port}`,
    TRIBUTARY_REDIS_URL: `redis://127.0.0.1:${silent.port}`,
    TRIBUTARY_REGISTRY_URL: `http://127.0.0.1:${silent.port}`,
  }
  const beganMs = performance.now()
  const findings = await wrong(flow, undefined, mute)
  expect(performance.now() - beganMs).toBeLessThan(ANSWER_MS_MAX + 10_000)
  expect(told(findings.filter(({ result }) => result === 'fail'))).toEqual([
    'fail source-server erp',
    'fail kafka-brokers kafka',
    'fail registry-server registry',
    'fail ledger-server redis',
    'fail subscriber-system warehouse',
  ])
  expect(findings.filter(({ result }) => result === 'warn')).toEqual([])
})

test('one check is asked by its name, and a name that is none is refused with those there are', {
  timeout: 60_000,
}, async () => {
  const flow = await createFlow(declare, SOURCE_SQL)
  onTestFinished(() => flow.close())
  const one = await flow.run('doctor', '--only', 'ledger-server', '--json')
  expect(JSON.parse(one.stdout)).toMatchObject({
    ok: true,
    checks: [{ name: 'ledger-server', subject: 'redis', result: 'ok' }],
  })
  const none = await flow.run('doctor', '--only', 'slot')
  expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('source-slot')])
  expectReadable(none.stderr)
})
