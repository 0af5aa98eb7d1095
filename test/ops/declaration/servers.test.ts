// biome-ignore-all lint/suspicious/noTemplateCurlyInString: declarations refer to the environment in this form
import { describe, expect, it } from 'vitest'
import { checkDeclaration } from '../../../ops/declaration/declaration.ts'
import { changed, ENVIRONMENT, findings } from './pipelines.ts'

const SECRET = 'hunter2-hunter2'
const env = { ...ENVIRONMENT, SECRET, CA: 'ca.pem' }
const BROKERS = '  brokers: kafka:9092\n'
const REGISTRY = '{ url: http://registry:8081 }'
const REDIS = '{ url: redis://redis:6379 }'
const withKafka = (text: string) => changed([BROKERS, `${BROKERS}${text}`])
const SASL = '  sasl: { mechanism: scram-sha-512, username: pipeline, password: "${SECRET}" }\n'

function resolved(text: string) {
  const { declaration, problems } = checkDeclaration(text, '/etc/tributary/p.yaml', env)
  expect(problems).toEqual([])
  return declaration!
}

describe('Kafka', () => {
  it('is reached in plain text, without a user, where nothing is said', () => {
    expect(resolved(changed()).kafka).toStrictEqual({ brokers: ['kafka:9092'], replication: 3 })
    expect(resolved(withKafka('  tls: false\n')).kafka).toStrictEqual({ brokers: ['kafka:9092'], replication: 3 })
  })

  it('is reached by TLS with the authorities of Node, or with files from where the declaration is', () => {
    expect(resolved(withKafka('  tls: true\n')).kafka.tls).toStrictEqual({})
    const { kafka } = resolved(
      withKafka(`  tls: { ca: "\${CA}", cert: a/b.pem, key: /c.pem, servername: kafka }\n${SASL}`),
    )
    expect(kafka.tls).toStrictEqual({
      ca: '/etc/tributary/ca.pem',
      cert: '/etc/tributary/a/b.pem',
      key: '/c.pem',
      servername: 'kafka',
    })
    expect(kafka.sasl).toStrictEqual({ mechanism: 'scram-sha-512', username: 'pipeline', password: SECRET })
  })

  it.each([
    [
      'a user in plain text',
      SASL,
      ['4:3: kafka.sasl: a password would travel readable to the brokers; declare `kafka.tls`'],
    ],
    [
      'a user in plain text that is said',
      `  tls: false\n${SASL}`,
      ['5:3: kafka.sasl: a password would travel readable to the brokers; declare `kafka.tls`'],
    ],
    [
      'a mechanism that there is not',
      '  tls: true\n  sasl: { mechanism: gssapi, username: u, password: "${SECRET}" }\n',
      ['5:22: kafka.sasl.mechanism: must be `plain`, `scram-sha-256` or `scram-sha-512`'],
    ],
    [
      'a password in the file',
      `  tls: true\n  sasl: { mechanism: plain, username: u, password: ${SECRET} }\n`,
      ['5:52: kafka.sasl.password: a secret does not belong in this file; write `${NAME}`, and set NAME or NAME_FILE'],
    ],
    [
      'half a certificate of ours',
      '  tls: { cert: a.pem }\n',
      ['4:10: kafka.tls.cert: `cert` is there without `key`; declare both'],
    ],
    [
      'a switch that would leave the check out',
      '  tls: { rejectUnauthorized: false }\n',
      [expect.stringContaining('kafka.tls.rejectUnauthorized: unknown field `rejectUnauthorized`')],
    ],
  ])('is refused with %s', (_, text, found) => {
    expect(findings(withKafka(text), env)).toEqual(
      found.map((one) => (typeof one === 'string' ? `p.yaml:${one}` : one)),
    )
  })

  it.each(['localhost:9092', '127.0.0.1:9092', '[::1]:9092'])('may have a user in plain text at %s', (broker) => {
    expect(findings(changed([BROKERS, `  brokers: ["${broker}"]\n${SASL}`]), env)).toEqual([])
  })
})

describe('the registry and Redis', () => {
  it('have a user, a password or a token apart, and files from where the declaration is', () => {
    const { registry, redis } = resolved(
      changed(
        [REGISTRY, '{ url: https://registry, username: u, password: "${SECRET}", ca: "${CA}" }'],
        [REDIS, '{ url: rediss://redis, password: "${SECRET}", ca: "${CA}" }'],
      ),
    )
    expect(registry.login).toStrictEqual({ username: 'u', password: SECRET })
    expect(redis.login).toStrictEqual({ password: SECRET })
    expect([registry.tls, redis.tls]).toStrictEqual([{ ca: '/etc/tributary/ca.pem' }, { ca: '/etc/tributary/ca.pem' }])
    const token = resolved(changed([REGISTRY, '{ url: https://registry, token: "${SECRET}" }']))
    expect(token.registry).toStrictEqual({ url: 'https://registry', tls: {}, login: { token: SECRET } })
  })

  it.each([
    [
      REGISTRY,
      '{ url: "http://u:${SECRET}@registry:8081" }',
      'registry.url: `http://u:${SECRET}@registry:8081` a password',
    ],
    [REGISTRY, '{ url: http://registry, token: "${SECRET}" }', 'registry.url: a password would travel readable'],
    [REGISTRY, '{ url: http://registry, ca: ca.pem }', 'registry.ca: says nothing without TLS; write `https://`'],
    [REGISTRY, '{ url: https://registry, username: u }', 'registry.username: `username` is there without `password`'],
    [REGISTRY, '{ url: https://registry, password: "${SECRET}" }', 'registry.password: `password` is there without'],
    [
      REGISTRY,
      '{ url: "https://u@registry", token: "${SECRET}" }',
      'registry.url: has a user or a password, and so has',
    ],
    [REGISTRY, `{ url: https://registry, token: ${SECRET} }`, 'registry.token: a secret does not belong in this file'],
    [REDIS, '{ url: redis://redis, password: "${SECRET}" }', 'redis.url: a password would travel readable'],
    [
      REDIS,
      '{ url: redis://redis, ca: ca.pem }',
      'redis.ca: says nothing without TLS; write `rediss://` in `redis.url`',
    ],
    [REDIS, '{ url: rediss://redis, cert: c.pem }', 'redis.cert: `cert` is there without `key`'],
  ])('are refused: %s → %s', (from, to, found) => {
    const lines = findings(changed([from, to]), env)
    expect(lines).toEqual([expect.stringContaining(found.replace('`http://u:${SECRET}@registry:8081` ', ''))])
    expect(lines.join()).not.toContain(SECRET)
  })

  it('may have a password in plain text on this machine', () => {
    const text = changed(
      [REDIS, '{ url: "redis://:${SECRET}@localhost:6379" }'],
      [REGISTRY, '{ url: "http://u:${SECRET}@127.0.0.1" }'],
    )
    expect(findings(text, env)).toEqual([])
  })
})

describe('databases', () => {
  it.each(['require', 'prefer', 'verify-ca'])('are not reached by sslmode=%s', (mode) => {
    const url = `postgres://u:${SECRET}@db/erp?sslmode=${mode}`
    const lines = findings(changed(), { ...env, ERP_URL: url, WAREHOUSE_URL: url })
    expect(lines).toEqual([
      expect.stringContaining(
        'sources.erp.url: asks for TLS without a check of the server; write `sslmode=verify-full`',
      ),
      expect.stringContaining('subscribers.warehouse.url: asks for TLS without a check of the server'),
    ])
    expect(lines.join()).not.toContain(SECRET)
  })

  it('are, by verify-full', () => {
    const url = 'postgres://u@db/erp?sslmode=verify-full&sslrootcert=/etc/ca.pem'
    expect(findings(changed(), { ...env, ERP_URL: url, WAREHOUSE_URL: `${url}2` })).toEqual([])
  })
})
