// biome-ignore-all lint/suspicious/noTemplateCurlyInString: declarations refer to the environment in this form
import { describe, expect, it } from 'vitest'
import type { ConditionalDelete, MappedField } from '../../../connectors/destination.ts'
import { checkDeclaration, type Declaration } from '../../../ops/declaration/declaration.ts'
import type { DeclaredSubscriber } from '../../../ops/declaration/subscribers/declared.ts'
import type { Value } from '../../../schemas/field-type.ts'
import { ENVIRONMENT, findings } from './pipelines.ts'
import { CASES, withSubscriber } from './subscriber-cases.ts'

function sound(written: string, env: Readonly<Record<string, string>> = {}): Declaration {
  const { declaration, problems } = checkDeclaration(withSubscriber(written), 'p.yaml', { ...ENVIRONMENT, ...env })
  expect(problems).toEqual([])
  return declaration!
}

const subscriber = (written: string, env?: Readonly<Record<string, string>>): DeclaredSubscriber =>
  [...sound(written, env).subscribers.values()].at(-1)!

describe('a subscriber with something wrong in it', () => {
  it.each(CASES)('$title', ({ written, found }) => {
    expect(findings(withSubscriber(written))).toEqual(found.map((line) => `p.yaml:${line}`))
  })
})

const CREDENTIALS = 'tenant: contoso.example\n    clientId: tributary\n    clientSecret: ${SECRET}'
const REQUESTS = { allowAddresses: [], timeoutMs: 30_000, lateRequestMs: 60_000 }
const ENTRA = {
  tokenUrl: 'https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token',
  clientId: 'tributary',
  clientSecret: 's3cret',
}

describe('the connection of each kind', () => {
  it.each<[type: DeclaredSubscriber['type'], options: string, target: string, connection: object]>([
    [
      'dataverse',
      `url: https://contoso.crm4.dynamics.com/\n    compare: false\n    ${CREDENTIALS}`,
      'accounts',
      { ...REQUESTS, ...ENTRA, url: 'https://contoso.crm4.dynamics.com', compare: false },
    ],
    [
      'finance-operations',
      `url: https://contoso.operations.dynamics.com\n    company: usmf\n    ${CREDENTIALS}`,
      'CustomersV3',
      { ...REQUESTS, ...ENTRA, url: 'https://contoso.operations.dynamics.com', company: 'usmf' },
    ],
    [
      'business-central',
      `url: https://api.example/v2.0/t/Production/api/v2.0\n    company: 00000000-0000-0000-0000-00000000000a\n    ${CREDENTIALS}`,
      'customers',
      {
        ...REQUESTS,
        ...ENTRA,
        url: 'https://api.example/v2.0/t/Production/api/v2.0',
        company: '00000000-0000-0000-0000-00000000000a',
      },
    ],
    [
      'salesforce',
      'url: https://acme.my.salesforce.com\n    clientId: a\n    clientSecret: b\n    timeout: 5s',
      'Account',
      {
        allowAddresses: [],
        timeoutMs: 5000,
        lateRequestMs: 10_000,
        url: 'https://acme.my.salesforce.com',
        clientId: 'a',
        clientSecret: 'b',
        apiVersion: 'v66.0',
      },
    ],
    [
      'shopify',
      'url: https://acme.myshopify.com\n    accessToken: ${SECRET}',
      'customer',
      { ...REQUESTS, url: 'https://acme.myshopify.com', accessToken: 's3cret', apiVersion: '2026-07' },
    ],
    [
      'http',
      'url: http://127.0.0.1:8080/v1/\n    allowAddresses: [127.0.0.1]\n    lateRequest: 2m\n    secrets: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n    headers: { authorization: "Bearer ${SECRET}" }',
      '"/customers/{key}"',
      {
        allowAddresses: ['127.0.0.1'],
        timeoutMs: 30_000,
        lateRequestMs: 120_000,
        url: 'http://127.0.0.1:8080/v1',
        secrets: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
        headers: { authorization: 'Bearer s3cret' },
      },
    ],
  ])('%s', (type, options, target, connection) => {
    const key = type === 'http' ? '' : ', key: erp_id'
    const declared = subscriber(
      `  other:\n    type: ${type}\n    ${options}\n    entities: { customer: { target: ${target}${key} } }\n`,
      { SECRET: 's3cret' },
    )
    expect(declared).toMatchObject({ name: 'other', type, connection, concurrency: 16 })
    expect(declared.connection).toEqual(connection)
    expect(declared.mappings[0]!.keyFields).toEqual(type === 'http' ? [] : ['erp_id'])
  })
})

const CRM = `  crm:
    type: dataverse
    url: https://contoso.crm4.dynamics.com
    tenant: contoso.example
    clientId: tributary
    clientSecret: s3cret
    concurrency: 100
    retry: { attempts: 3, first: 500ms, deadAfter: 2h }
    breaker: { failures: 9, probeEvery: 5s }
    onDelete: ignore
    entities:
`

it('what is said of failures, keys and references is kept', () => {
  const declared = subscriber(
    `${CRM}      customer: { target: accounts, key: id, updateOnly: true, onDelete: soft, lookups: { name: { target: contacts, keyField: erp_id } } }\n`,
  )
  expect(declared).toMatchObject({
    concurrency: 100,
    retry: { attempts: 3, firstMs: 500, deadAfterMs: 7_200_000 },
    breaker: { failures: 9, probeEveryMs: { first: 5000, most: 5000 } },
  })
  expect(declared.mappings[0]).toMatchObject({
    target: 'accounts',
    keyFields: ['id'],
    updateOnly: true,
    lookups: { name: { target: 'contacts', keyField: 'erp_id' } },
    onDelete: 'soft',
  })
})

describe('a transform', () => {
  const ROW: Readonly<Record<string, Value>> = {
    id: 7n,
    name: 'Ada Lovelace',
    extra: '{}',
    status: 'paid',
    active: null,
  }

  /** What a mapping makes of the row, and of what type. */
  function made(written: string): { value: Value; type: MappedField['type']; from: readonly string[] } {
    const [field] = subscriber(`${CRM}      customer: { target: accounts, key: erp_id, fields: { to: ${written} } }\n`)
      .mappings[0]!.fields
    const { from, type, transform } = field!
    const values = from.map((name) => ROW[name]!)
    return { from, type, value: transform === null ? values[0]! : transform(values) }
  }

  it.each<[written: string, from: readonly string[], kind: string, value: Value]>([
    ['name', ['name'], 'string', 'Ada Lovelace'],
    ['{ from: id }', ['id'], 'int64', 7n],
    ['{ from: active, default: true }', ['active'], 'boolean', true],
    ['{ join: [name, id], with: " #" }', ['name', 'id'], 'string', 'Ada Lovelace #7'],
    ['{ join: [name, active] }', ['name', 'active'], 'string', 'Ada Lovelace'],
    ['{ join: [name, status], with: "" }', ['name', 'status'], 'string', 'Ada Lovelacepaid'],
    ['{ split: name, by: " ", part: 1 }', ['name'], 'string', 'Ada'],
    ['{ split: name, by: " ", part: 3, default: none }', ['name'], 'string', 'none'],
    ['{ from: status, lookup: { paid: 3, open: 1 } }', ['status'], 'int64', 3n],
    ['{ from: status, lookup: { open: 1 }, default: 9 }', ['status'], 'int64', 9n],
    ['{ from: active, lookup: { true: A, false: B }, default: C }', ['active'], 'string', 'C'],
    ['{ from: status, lookup: { paid: , open: 1 } }', ['status'], 'int64', null],
    ['{ from: id, lookup: { 7: 1.5 }, type: "decimal(5,2)" }', ['id'], 'decimal', '1.50'],
    ['{ format: "SKU-{id}" }', ['id'], 'string', 'SKU-7'],
    ['{ from: [status, id], format: "{id}/{status}" }', ['status', 'id'], 'string', '7/paid'],
    ['{ format: "{active}", default: unknown }', ['active'], 'string', 'unknown'],
    ['{ constant: erp }', [], 'string', 'erp'],
    ['{ constant: "9007199254740993", type: int64 }', [], 'int64', 9_007_199_254_740_993n],
  ])('%s', (written, from, kind, value) => {
    expect(made(written)).toMatchObject({ from, type: { kind }, value })
  })
})

it('a conditional delete is resolved to the fields that the other entity has there', () => {
  const declared = subscriber(`  dwh:
    type: warehouse
    url: postgres://dwh.example/dwh
    entities:
      order-line:
        fields: { o: order_id, l: { from: line } }
      customer:
        onDelete:
          soft: { while: { entity: order-line, field: line, where: { order_id: A0000000-0000-0000-0000-000000000001, line: } } }
          else: hard
`)
  const expected: ConditionalDelete = {
    policy: 'soft',
    while: {
      entity: 'order-line',
      target: 'order_line',
      refersBy: [{ to: 'l', type: { kind: 'int32' } }],
      where: [
        { to: 'o', type: { kind: 'uuid' }, value: 'a0000000-0000-0000-0000-000000000001' },
        { to: 'l', type: { kind: 'int32' }, value: null },
      ],
    },
    otherwise: 'hard',
  }
  expect(declared.mappings[1]!.onDelete).toEqual(expected)
})
