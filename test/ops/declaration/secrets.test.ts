// biome-ignore-all lint/suspicious/noTemplateCurlyInString: declarations refer to the environment in this form
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkDeclaration } from '../../../ops/declaration/declaration.ts'
import { formatProblem } from '../../../ops/declaration/problem.ts'
import { formatFindings } from '../../../ops/declaration/report/findings.ts'
import { maskSecrets } from '../../../ops/declaration/report/mask-secrets.ts'
import { ENVIRONMENT, PIPELINE } from './pipelines.ts'
import { withSubscriber } from './subscriber-cases.ts'

const SECRET = 'Hunter2Hunter2'

/** Everything that a text makes the command show. */
function shown(text: string, env: Readonly<Record<string, string>>): string {
  const { problems } = checkDeclaration(text, 'p.yaml', env)
  expect(problems).not.toEqual([])
  return `${problems.map(formatProblem).join('\n')}\n${formatFindings(problems, text, { colour: false })}`
}

describe('a secret from the environment', () => {
  /** Every place of a scalar in the pipeline, as [start, end) of the text. */
  const places = [...PIPELINE.matchAll(/(?<=: |\[|, )(?:[\w.:/-]+|\$\{\w+\})(?=\n|,| |\])/g)].map(
    (match) => [match.index, match.index + match[0].length] as const,
  )

  it('is not shown wherever the declaration refers to it', () => {
    expect(places.length).toBeGreaterThan(25)
    for (const [start, end] of places) {
      const text = `${PIPELINE.slice(0, start)}\${SECRET}${PIPELINE.slice(end)}broken: true\n`
      expect(shown(text, { ...ENVIRONMENT, SECRET })).not.toContain(SECRET)
    }
  })

  it('is not shown when it is part of a text, in any form a value can have', () => {
    const value = fc.oneof(
      fc.constantFrom(
        `postgres://u:${SECRET}@`,
        `"${SECRET}"`,
        `enum(${SECRET},${SECRET})`,
        `a.${SECRET}.b`,
        `${SECRET}:x`,
      ),
      fc.string({ maxLength: 8 }).map((text) => text + SECRET),
    )
    const damage = fc.tuple(
      fc.constantFrom(...places),
      fc.constantFrom('${SECRET}', 'a${SECRET}b', '${NOPE:-${SECRET}'),
      value,
    )
    fc.assert(
      fc.property(damage, ([[start, end], reference, secret]) => {
        const text = `${PIPELINE.slice(0, start)}"${reference}"${PIPELINE.slice(end)}broken: true\n`
        expect(shown(text, { ...ENVIRONMENT, SECRET: secret })).not.toContain(SECRET)
      }),
      { numRuns: 300 },
    )
  })

  it('is not shown when it stands in the place of the path of a secret file', () => {
    const text = PIPELINE.replace('${ERP_URL}', '${TOKEN}')
    expect(shown(text, { ...ENVIRONMENT, TOKEN_FILE: SECRET })).not.toContain(SECRET)
  })
})

/** Subscribers with something at every option that takes a text. */
const SUBSCRIBERS = withSubscriber(`  crm:
    type: dataverse
    url: https://contoso.crm4.dynamics.com
    tokenUrl: https://login.example/token
    clientId: tributary
    clientSecret: abc
    timeout: 30s
    onDelete: soft
    breaker: { probeEvery: 1s..30s }
    allowAddresses: [10.0.0.0/8]
    entities:
      customer:
        target: accounts
        key: erp
        lookups: { parent: { target: contacts, keyField: id } }
        fields:
          erp: id
          a: { join: [name, id], with: x }
          b: { split: name, by: x, part: 1, default: none }
          c: { from: status, lookup: { open: a, paid: b }, type: string }
          d: { format: plain, from: name }
          e: { constant: x, type: string }
          f: { custom: normalize, from: name, type: string }
  hook:
    type: http
    url: https://hook.example
    secrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw]
    headers: { authorization: x }
    entities: { customer: { target: customers } }
  dwh:
    type: warehouse
    url: postgres://dwh.example/dwh
    entities:
      customer: { onDelete: { soft: { while: { entity: order-line, field: line, where: { line: 1 } } }, else: hard } }
      order-line: { table: lines }
`)

it('a secret from the environment is not shown at any option of a subscriber', () => {
  const places = [...SUBSCRIBERS.matchAll(/(?<=: |\[|, )(?:[\w.:/-]+)(?=\n|,| \}|\])/g)]
  expect(places.length).toBeGreaterThan(70)
  for (const { 0: word, index } of places) {
    const text = `${SUBSCRIBERS.slice(0, index)}\${SECRET}${SUBSCRIBERS.slice(index + word.length)}broken: true\n`
    expect(shown(text, { ...ENVIRONMENT, SECRET })).not.toContain(SECRET)
  }
})

describe('a secret in the file itself', () => {
  it.each([
    ['an address of the wrong kind', 'url: ${ERP_URL}', `url: mysql://root:${SECRET}@erp`],
    ['a key that is too short', 'fingerprintKey: ${FINGERPRINT_KEY}', `fingerprintKey: ${SECRET}`],
    ['a key that is a number', 'fingerprintKey: ${FINGERPRINT_KEY}', 'fingerprintKey: 20222022202220222022'],
    ['an unknown field', 'url: ${ERP_URL}', `url: \${ERP_URL}\n    passphrase_of_erp: ${SECRET}`],
    ['an unknown field with an unsuspicious name', 'url: ${ERP_URL}', `url: \${ERP_URL}\n    key: ${SECRET}`],
    ['an unknown field in braces', '{ url: redis://redis:6379 }', `{ url: redis://redis:6379, auth: ${SECRET} }`],
    ['a quote that is not closed', 'url: ${ERP_URL}', `url: "postgres://u:${SECRET}@erp`],
    ['an escape in a password', 'url: ${ERP_URL}', `url: "postgres://u:\\q${SECRET}@erp"`],
    ['a text over several lines', 'url: ${ERP_URL}', `url: "mysql://\n      u:\\q${SECRET}\n      @erp"`],
    ['a default', 'url: ${ERP_URL}', `url: \${ERP_URL_2:-mysql://u:${SECRET}@erp}`],
    ['an address in a field of another kind', 'owner: sales', `ownr: postgres://u:${SECRET}@erp`],
    ['a password that begins with *', 'url: ${ERP_URL}', `url: *${SECRET}${SECRET}`],
  ])('is not shown: %s', (_, from, to) => {
    const text = PIPELINE.replace(from, () => to)
    expect(text).not.toBe(PIPELINE)
    const output = shown(text, ENVIRONMENT)
    expect(output).not.toContain(SECRET)
    expect(output).not.toContain('20222022')
  })

  it.each([
    [
      'of Kafka',
      'brokers: kafka:9092',
      `brokers: kafka:9092\n  sasl: { mechanism: plain, username: u, password: ${SECRET} }`,
    ],
    ['of the registry', '{ url: http://registry:8081 }', `{ url: https://registry:8081, token: ${SECRET} }`],
    ['of Redis', '{ url: redis://redis:6379 }', `{ url: rediss://redis:6379, password: ${SECRET} }`],
    ['in the address of Redis', 'redis://redis:6379', `redis://u:${SECRET}@redis:6379`],
    ['of a database that asks for TLS by halves', '${ERP_URL}', `postgres://u:${SECRET}@db/erp?sslmode=require`],
  ])('is not shown: the password %s', (_, from, to) => {
    const text = PIPELINE.replace(from, () => to)
    expect(text).not.toBe(PIPELINE)
    expect(shown(text, ENVIRONMENT)).not.toContain(SECRET)
  })

  it('is covered character by character, so that columns stay', () => {
    const text = '  url: postgres://u:p@h/db # note\n  owner: me\n'
    expect(maskSecrets(text)).toBe('  url: ••••••••••••••••••• • ••••\n  owner: me\n')
  })

  it('is covered on the lines below as well', () => {
    expect(maskSecrets('a:\n  password: >-\n    one\n\n    two\n  owner: me')).toBe(
      'a:\n  password: ••\n    •••\n\n    •••\n  owner: me',
    )
  })

  it('is covered in headers, and in lists that stand as far left as their name', () => {
    expect(maskSecrets('headers:\n  x-key: a\nsecrets:\n- whsec_a\n- whsec_b\nname: b')).toBe(
      'headers:\n  •••••• •\nsecrets:\n• •••••••\n• •••••••\nname: b',
    )
  })

  it('leaves plain references to be seen, but not what follows them', () => {
    expect(maskSecrets('{ url: ${URL}, password: x }')).toBe('{ url: ${URL}, password: • •')
    expect(maskSecrets('url: ${URL}\nowner: ${X:-y}')).toBe('url: ${URL}\nowner: ${X:-•}')
  })
})
