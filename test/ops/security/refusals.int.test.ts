// biome-ignore-all lint/suspicious/noTemplateCurlyInString: declarations refer to the environment in this form
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ErrorCode } from '../../../schemas/errors.ts'
import { expectError, runCli } from '../../support/cli.ts'
import { eventually } from '../../support/flow.ts'
import { PASSWORDS, type SecuredServers, startSecuredServers } from './secured-servers.ts'

let servers: SecuredServers

beforeAll(async () => {
  servers = await startSecuredServers()
  await servers.flow.provision()
})
afterAll(async () => {
  await servers?.close()
})

const WRONG = 'hunter2-hunter2'
const HIDES = [WRONG, ...Object.values(PASSWORDS), encodeURIComponent(PASSWORDS.redis)]
/** Parts of the declaration that are written otherwise, each of which must be there. */
type Changes = readonly (readonly [from: RegExp, to: string])[]

interface Refusal {
  readonly title: string
  readonly code: ErrorCode
  readonly command: readonly string[]
  readonly settings?: (of: SecuredServers) => Readonly<Record<string, string>>
  readonly changes?: Changes
  readonly says: readonly (string | RegExp)[]
}

const PROVISION = ['provision'] as const
const CAPTURE = ['capture', 'erp', '--port', '0'] as const
const DELIVER = ['deliver', 'warehouse', '--port', '0'] as const
const AUTHORITY = 'has a certificate of an authority that is not trusted'
const OTHER_NAME = 'has a certificate for another name'
const WITHOUT_USER = [/ +sasl: .*\n/, ''] as const
const WITHOUT_TLS = [/ +tls: .*\n/, ''] as const

const onKafka = (refusal: Omit<Refusal, 'code' | 'command'>): Refusal => ({
  ...refusal,
  code: 'kafka-unsuitable',
  command: PROVISION,
  title: `Kafka: ${refusal.title}`,
})

const REFUSALS: readonly Refusal[] = [
  ...['plain', 'scram-sha-256', 'scram-sha-512'].map((mechanism) =>
    onKafka({
      title: `a wrong password by ${mechanism}`,
      settings: () => ({ MECHANISM: mechanism, KAFKA_PASSWORD: WRONG }),
      says: ['refuses the user', 'Check kafka.sasl: mechanism, username and password'],
    }),
  ),
  onKafka({
    title: 'an authority that did not sign',
    changes: [[/tls: \{ ca: "\$\{CA\}"/, 'tls: { ca: "${STRANGER}"']],
    says: [AUTHORITY, 'in kafka.tls.ca'],
  }),
  onKafka({
    title: 'no authority at all',
    changes: [[/tls: \{.*\}/, 'tls: true']],
    says: [AUTHORITY, 'in kafka.tls.ca'],
  }),
  onKafka({
    title: 'the certificate of another host',
    settings: ({ kafka }) => ({ KAFKA: kafka.otherName }),
    changes: [WITHOUT_USER],
    says: [OTHER_NAME, 'broker.example', 'Use an address that the certificate names'],
  }),
  onKafka({
    title: 'no certificate of ours where one is asked for',
    settings: ({ kafka }) => ({ KAFKA: kafka.mutual }),
    changes: [WITHOUT_USER, [/, cert: "\$\{CLIENT\}", key: "\$\{CLIENT_KEY\}"/, '']],
    says: ['does not accept us without a certificate that it trusts', 'Declare kafka.tls.cert and kafka.tls.key'],
  }),
  onKafka({
    title: 'plain text to a port with TLS',
    changes: [WITHOUT_TLS, WITHOUT_USER],
    says: ['speaks TLS, and kafka.tls is not declared'],
  }),
  onKafka({
    title: 'a user at a port that asks for none',
    settings: ({ kafka }) => ({ KAFKA: kafka.mutual }),
    says: ['asks for no user at this port', 'Remove kafka.sasl'],
  }),
  ...[CAPTURE, DELIVER].flatMap((command): Refusal[] => [
    {
      ...onKafka({
        title: `a wrong password, and ${command[0]}`,
        settings: () => ({ KAFKA_PASSWORD: WRONG }),
        says: ['refuses the user'],
      }),
      command,
    },
    {
      ...onKafka({
        title: `no authority, and ${command[0]}`,
        changes: [[/tls: \{.*\}/, 'tls: true']],
        says: [AUTHORITY],
      }),
      command,
    },
  ]),
  {
    title: 'Kafka: TLS to a port without it, which may only be restarting',
    code: 'kafka-unreachable',
    command: PROVISION,
    settings: ({ kafka }) => ({ KAFKA: kafka.plain }),
    changes: [WITHOUT_USER],
    says: ['before secure TLS connection was established', 'that this is their port for TLS'],
  },
  {
    title: 'the registry: a wrong password',
    code: 'registry-unsuitable',
    command: PROVISION,
    settings: () => ({ REGISTRY_PASSWORD: WRONG }),
    says: ['refuses the user, password or token (status 401)', 'Check them in `registry`'],
  },
  {
    title: 'the registry: an authority that did not sign',
    code: 'registry-unsuitable',
    command: PROVISION,
    changes: [[/(registry: .*, )ca: "\$\{CA\}"/, '$1ca: "${STRANGER}"']],
    says: [AUTHORITY, 'in registry.ca'],
  },
  {
    title: 'the registry: plain text to a port with TLS',
    code: 'registry-unsuitable',
    command: PROVISION,
    settings: ({ flow }) => ({ REGISTRY: flow.env.REGISTRY!.replace('https', 'http') }),
    changes: [[/(registry: .*), ca: "\$\{CA\}"/, '$1']],
    says: ['speaks TLS', 'Write `https` in registry.url'],
  },
  {
    title: 'Redis: a wrong password',
    code: 'ledger-unsuitable',
    command: DELIVER,
    settings: () => ({ REDIS_PASSWORD: WRONG }),
    says: ['WRONGPASS', 'Check the user and the password'],
  },
  {
    title: 'Redis: an authority that did not sign',
    code: 'ledger-unsuitable',
    command: DELIVER,
    changes: [[/(redis: .*, )ca: "\$\{CA\}"/, '$1ca: "${STRANGER}"']],
    says: [AUTHORITY, 'in redis.ca'],
  },
  {
    title: 'Redis: plain text to a port with TLS',
    code: 'ledger-unsuitable',
    command: DELIVER,
    settings: ({ flow }) => ({ REDIS: flow.env.REDIS!.replace('rediss', 'redis') }),
    changes: [[/(redis: .*), ca: "\$\{CA\}"/, '$1']],
    says: ['speaks TLS', 'Write `rediss://` in redis.url'],
  },
  ...[PROVISION, CAPTURE].map(
    (command): Refusal => ({
      title: `the source, ${command[0]}: an authority that did not sign`,
      code: 'source-unsuitable',
      command,
      changes: [[/(ERP_URL.*sslrootcert=)\$\{CA\}/, '$1${STRANGER}']],
      says: [AUTHORITY, '`sslrootcert` of its url'],
    }),
  ),
  {
    title: 'the source: a name that its certificate does not have',
    code: 'source-unsuitable',
    command: CAPTURE,
    settings: ({ flow }) => ({ ERP_URL: flow.env.ERP_URL!.replace('127.0.0.1', 'localhost') }),
    says: [OTHER_NAME],
  },
  {
    title: 'the warehouse: an authority that did not sign',
    code: 'destination-unsuitable',
    command: DELIVER,
    changes: [[/(WAREHOUSE_URL.*sslrootcert=)\$\{CA\}/, '$1${STRANGER}']],
    says: [AUTHORITY, '`sslrootcert` of its url'],
  },
  {
    title: 'the warehouse: a name that its certificate does not have',
    code: 'destination-unsuitable',
    command: DELIVER,
    settings: ({ flow }) => ({ WAREHOUSE_URL: flow.env.WAREHOUSE_URL!.replace('127.0.0.1', 'localhost') }),
    says: [OTHER_NAME],
  },
]

test.concurrent.each(REFUSALS)('$title', async ({ code, command, settings, changes, says }) => {
  const env = { ...servers.flow.env, STRANGER: servers.file('stranger'), ...settings?.(servers) }
  await expectError([...command, '-f', declared(changes)], env, { code, exitCode: 1, says, hides: HIDES })
})

test.concurrent.each(['plain', 'scram-sha-256'])(
  'a user is known by %s too, and by its token at the registry',
  async (mechanism) => {
    const file = declared([
      [/(registry: .*)username: pipeline, password: "\$\{REGISTRY_PASSWORD\}"/, '$1token: "${TOKEN}"'],
    ])
    await expectDone(['provision', '-f', file], { MECHANISM: mechanism, TOKEN: PASSWORDS.token })
  },
)

test.concurrent('a certificate of ours is all that is asked for at a port without users', async () => {
  await expectDone(['provision', '-f', declared([WITHOUT_USER])], { KAFKA: servers.kafka.mutual })
})

test.concurrent('a user is allowed in plain text on this machine alone', async () => {
  const file = declared([WITHOUT_TLS])
  await expectDone(['provision', '-f', file], { KAFKA: servers.kafka.user })
  const elsewhere = { ...servers.flow.env, KAFKA: 'kafka.example:9092' }
  await expectError(['provision', '-f', file], elsewhere, {
    code: 'declaration-invalid',
    exitCode: 2,
    says: [/\.yaml:\d+:\d+: kafka\.sasl: a password would travel readable/, 'declare `kafka.tls`'],
    hides: HIDES,
  })
})

test.concurrent('a file that is not there, or holds something else, is named with its field', async () => {
  for (const [path, what] of [
    ['/nowhere/ca.pem', 'cannot be read (ENOENT)'],
    [servers.file('client-key'), 'holds no certificate in PEM form'],
  ] as const)
    await expectError(
      ['provision', '-f', servers.flow.file],
      { ...servers.flow.env, CA: path },
      { code: 'environment-missing', exitCode: 3, says: [`kafka.tls.ca names ${path}`, what], hides: HIDES },
    )
})

// The last one: the server keeps that certificate.
test('a database at an address is not known by a certificate for localhost', async () => {
  await servers.renameDatabase()
  const { flow } = servers
  const wanted = { exitCode: 1, says: [OTHER_NAME], hides: HIDES } as const
  await eventually(
    async () => (await runCli(['provision', '-f', flow.file], flow.env)).code === 1,
    'the server has its other certificate',
  )
  await Promise.all([
    expectError([...PROVISION, '-f', flow.file], flow.env, { ...wanted, code: 'source-unsuitable' }),
    expectError([...DELIVER, '-f', flow.file], flow.env, { ...wanted, code: 'destination-unsuitable' }),
  ])
})

async function expectDone(args: readonly string[], settings: Readonly<Record<string, string>>): Promise<void> {
  const { code, stdout, stderr } = await runCli(args, { ...servers.flow.env, ...settings })
  expect([code, stderr], stdout).toStrictEqual([0, ''])
}

let files = 0

/** The declaration with these changes, in a file of its own. */
function declared(changes: Changes = []): string {
  const { file } = servers.flow
  const text = changes.reduce(
    (now, [from, to]) => {
      expect(now).toMatch(from)
      return now.replace(from, to)
    },
    readFileSync(file, 'utf8'),
  )
  const path = join(dirname(file), `changed-${++files}.yaml`)
  writeFileSync(path, text)
  return path
}
