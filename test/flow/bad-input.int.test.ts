import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createProducer } from '../../connectors/kafka/producer.ts'
import { expectError, runCli, startCli, type WantedError } from '../support/cli.ts'
import { createFlow, eventually, type Flow } from '../support/flow.ts'
import { CUSTOMERS, declareCustomers } from './customers.ts'

let flow: Flow
let files = 0

beforeAll(async () => {
  flow = await createFlow(
    declareCustomers,
    `${CUSTOMERS}
     CREATE TABLE keyless (id bigint NOT NULL, name text, credit numeric(12,2), note text);`,
  )
  await flow.provision()
})

afterAll(async () => {
  await flow?.close()
})

/** The declaration with something replaced in it, in a file of its own. */
function declared(from: string, to: string, prefix = flow.prefix): string {
  const text = declareCustomers(prefix)
  expect(text).toContain(from)
  const file = `${flow.file}.${++files}.yaml`
  writeFileSync(file, text.replace(from, to))
  return file
}

/** The flow's environment with a password that is not the right one. */
function wrongPassword(url: string): string {
  const wrong = new URL(url)
  wrong.password = SECRET
  return wrong.toString()
}

const SECRET = 'hunter2secret'
const INVALID = { code: 'declaration-invalid', exitCode: 2 } as const
const UNSUITABLE = { code: 'source-unsuitable', exitCode: 1 } as const

test.each([
  ['a broken YAML file', 'sources:\n  erp:', 'sources:\n  erp: [', /tributary.yaml.+:\d+:\d+/],
  ['an unknown field', '    owner: sales', '    ovner: sales', /unknown field.+did you mean `owner`/],
])('%s is told with its line, by every command alike', async (_what, from, to, says) => {
  const file = declared(from, to)
  for (const command of [['validate'], ['provision'], ['run'], ['status']])
    await expectError([...command, '-f', file], flow.env, { ...INVALID, says: [says] })
})

test('a declaration that is not there is told with what to do', async () => {
  for (const command of [['validate'], ['provision'], ['capture', 'erp'], ['status']])
    await expectError([...command, '-f', '/nowhere/tributary.yaml'], flow.env, {
      ...INVALID,
      says: ['/nowhere/tributary.yaml does not exist', '--file'],
    })
})

test.each<[string, string, string, WantedError]>([
  [
    'a table that does not exist',
    'table: customers',
    'table: clients',
    {
      ...UNSUITABLE,
      says: ['table public.clients does not exist', 'Create it, or correct the table of entity customer'],
    },
  ],
  [
    'a table without a key',
    'table: customers',
    'table: keyless',
    { ...UNSUITABLE, says: ['is not unique', 'ADD PRIMARY KEY'] },
  ],
  [
    'another number of partitions',
    'partitions: 3',
    'partitions: 4',
    { ...INVALID, says: ['has 3 partitions and is declared with 4', 'Declare what is there'] },
  ],
  [
    'a retyped field',
    "credit: 'decimal(12,2)'",
    'credit: string',
    {
      code: 'schema-incompatible',
      exitCode: 2,
      says: ['`credit` was decimal(12,2) and would become string', 'new name'],
    },
  ],
])('provision refuses %s before it changes anything', async (_what, from, to, wanted) => {
  const file = declared(from, to)
  const before = await footprint()
  await expectError(['provision', '-f', file], flow.env, wanted)
  expect(await footprint()).toStrictEqual(before)
})

test('a warehouse column of another type, and a table that is not there, are named', async () => {
  await flow.warehouse`ALTER TABLE customers ALTER COLUMN note TYPE integer USING 0`
  const wanted = {
    code: 'destination-unsuitable',
    exitCode: 1,
    says: ['column public.customers.note is integer and has to be text', 'subscriber "warehouse"'],
  } as const
  await expectError(['provision', '-f', flow.file], flow.env, wanted)
  await expectError(['deliver', 'warehouse', '-f', flow.file, '--port', '0'], flow.env, wanted)
  await flow.warehouse`DROP TABLE customers`
  await expectError(['deliver', 'warehouse', '-f', flow.file, '--port', '0'], flow.env, {
    code: 'destination-unsuitable',
    exitCode: 1,
    says: ['not provisioned', 'run `tributary provision`', 'CREATE TABLE "public"."customers"'],
  })
  await flow.provision()
})

test('a role that may not replicate is told the statement that lets it', async () => {
  const role = `${flow.prefix}_reader`
  await flow.source.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD '${SECRET}'`)
  const url = new URL(flow.sourceUrl)
  url.username = role
  url.password = SECRET
  const env = { ...flow.env, ERP_URL: url.toString() }
  try {
    const wanted = { ...UNSUITABLE, says: ['may not replicate', `ALTER ROLE "${role}" REPLICATION`], hides: [SECRET] }
    await expectError(['provision', '-f', flow.file], env, wanted)
    await expectError(['capture', 'erp', '-f', flow.file, '--port', '0'], env, wanted)
  } finally {
    await flow.source.unsafe(`DROP ROLE ${role}`)
  }
})

test('a wrong password ends every command that needs it, and is in no message', async () => {
  const source = { ...flow.env, ERP_URL: wrongPassword(flow.sourceUrl) }
  const refused = {
    ...UNSUITABLE,
    says: ['password authentication failed', 'Check the user and the password'],
    hides: [SECRET],
  }
  await expectError(['provision', '-f', flow.file], source, refused)
  await expectError(['capture', 'erp', '-f', flow.file, '--port', '0'], source, refused)
  const redis = {
    ...flow.env,
    TRIBUTARY_REDIS_URL: flow.env.TRIBUTARY_REDIS_URL!.replace('://', `://someone:${SECRET}@`),
  }
  await expectError(['deliver', 'warehouse', '-f', flow.file, '--port', '0'], redis, {
    code: 'ledger-unsuitable',
    exitCode: 1,
    says: ['refuses', 'Check the user and the password in redis.url'],
    hides: [SECRET],
  })
  const warehouse = { ...flow.env, WAREHOUSE_URL: wrongPassword(flow.warehouseUrl) }
  await expectError(['deliver', 'warehouse', '-f', flow.file, '--port', '0'], warehouse, {
    code: 'destination-unsuitable',
    exitCode: 1,
    says: ['invalid_password', 'check the user and the password'],
    hides: [SECRET],
  })
})

test('nothing provisioned: capture, deliver and run end and say what to run', async () => {
  const file = declared(`name: ${flow.prefix}`, `name: ${flow.prefix}x`)
  for (const command of [['capture', 'erp'], ['run']])
    await expectError([...command, '-f', file, '--port', '0'], flow.env, {
      code: 'topic-missing',
      exitCode: 1,
      says: ['not exist', 'Run `tributary provision`'],
    })
})

test('topics without their schemas: capture does not register one by itself', async () => {
  const file = declared('note: string }', 'note: string, added: string }')
  await expectError(['capture', 'erp', '-f', file, '--port', '0'], flow.env, {
    code: 'schema-not-registered',
    exitCode: 1,
    says: ['schema of customer', 'Run `tributary provision`'],
  })
})

test('an unknown source or subscriber is told the names there are', async () => {
  await expectError(['capture', 'crm', '-f', flow.file, '--port', '0'], flow.env, {
    ...INVALID,
    says: ['There is no source crm', 'declared: erp'],
  })
  await expectError(['deliver', 'shop', '-f', flow.file, '--port', '0'], flow.env, {
    ...INVALID,
    says: ['There is no subscriber shop', 'declared: warehouse'],
  })
})

test.each<[string, string[], string[]]>([
  ['an unknown command', ['provison'], ["unknown command 'provison'", 'Did you mean provision?', '--help']],
  ['an unknown flag', ['run', '--fiel', 'x'], ["unknown option '--fiel'", 'Did you mean --file?']],
  ['a port that is no number', ['run', '--port', 'abc'], ["'abc' is invalid", 'from 0 to 65535']],
  ['a source that is not named', ['capture'], ["missing required argument 'source'", '--help']],
])('%s is a usage error with a hint', async (_what, args, says) => {
  await expectError(args, flow.env, { code: 'usage', exitCode: 2, says })
})

test('a port in use is told with the flag that chooses another', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  try {
    await expectError(['run', '-f', flow.file, '--port', String(port)], flow.env, {
      code: 'environment-missing',
      exitCode: 3,
      says: [`Port ${port}`, 'in use', '--port'],
    })
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
})

test('a second capture says who holds the slot, waits, and takes over', async () => {
  const args = ['capture', 'erp', '-f', flow.file, '--port', '0', '--json']
  const first = startCli(args, flow.env)
  await eventually(() => first.stdout().includes('"ok":true'), 'the first runs', 30_000)
  await eventually(async () => (await activeReaders()) === 1, 'the slot is read', 30_000)
  const second = startCli(args, flow.env)
  await eventually(
    () => /is read by server process \d+ \(application tributary erp\)/.test(second.stderr()),
    'the second says who holds it',
    30_000,
  )
  expect((await first.stop()).code).toBe(0)
  await eventually(async () => (await activeReaders()) === 1, 'the second took over', 40_000)
  const ended = await second.stop()
  expect(ended.code, ended.stderr).toBe(0)
}, 120_000)

test('a position that cannot be read stops capture, and nothing is captured', async () => {
  const topic = `${flow.prefix}.positions`
  const producer = createProducer(flow.environment().kafka)
  await producer.connect()
  const write = (value: Buffer | null) => producer.send([{ topic, key: 'erp/history', value, headers: {} }])
  try {
    await write(Buffer.from('{"epoch":"Persona 1"'))
    const before = await slotPosition()
    await expectError(['capture', 'erp', '-f', flow.file, '--port', '0'], flow.env, {
      code: 'position-corrupt',
      exitCode: 1,
      says: ['stored of source erp as "history" cannot be read', `topic ${topic}`, 'write the last good one again'],
      hides: ['Persona'],
    })
    expect(await slotPosition()).toBe(before)
  } finally {
    await write(null)
    await producer.close()
  }
})

test('validate is silent about nothing: the right declaration is said to be right', async () => {
  const { code, stdout, stderr } = await runCli(['validate', '-f', flow.file], flow.env)
  expect([code, stderr]).toStrictEqual([0, ''])
  expect(stdout).toContain('is valid')
  expect(stdout).toContain('table public.customers, key id, identity full')
})

/** What provisioning could have changed: versions of the schema, publications, the warehouse's columns. */
async function footprint(): Promise<unknown> {
  const subject = `${flow.prefix}.customer-value`
  const versions = await flow.environment().registry.versions(subject)
  const publications = await flow.source`SELECT pubname, tablename FROM pg_publication_tables ORDER BY 1, 2`
  const columns = await flow.warehouse`
    SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2`
  return JSON.parse(JSON.stringify({ versions: versions.length, publications, columns }))
}

async function activeReaders(): Promise<number> {
  const rows =
    await flow.source`SELECT 1 FROM pg_replication_slots WHERE database = current_database() AND active AND NOT temporary`
  return rows.length
}

async function slotPosition(): Promise<string | undefined> {
  const [row] = await flow.source<{ at: string }[]>`
    SELECT confirmed_flush_lsn::text AS at FROM pg_replication_slots WHERE database = current_database() AND NOT temporary`
  return row?.at
}
