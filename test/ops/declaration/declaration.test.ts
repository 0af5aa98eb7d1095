// biome-ignore-all lint/suspicious/noTemplateCurlyInString: declarations refer to the environment in this form
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { checkDeclaration, type Declaration, loadDeclaration } from '../../../ops/declaration/declaration.ts'
import { TributaryError } from '../../../schemas/errors.ts'
import { EXAMPLE_ENVIRONMENT } from './example-environment.ts'
import { changed, ENVIRONMENT, PIPELINE } from './pipelines.ts'

const folder = mkdtempSync(join(tmpdir(), 'tributary-declaration-'))
afterAll(() => rmSync(folder, { recursive: true }))

function write(name: string, content: string | Buffer): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

function sound(text: string, env: Readonly<Record<string, string>> = ENVIRONMENT): Declaration {
  const { declaration, problems } = checkDeclaration(text, 'p.yaml', env)
  expect(problems).toEqual([])
  return declaration!
}

describe('the resolved declaration', () => {
  it('has every default filled in', () => {
    const declaration = sound(PIPELINE)
    expect(declaration.kafka).toEqual({ brokers: ['kafka:9092'], replication: 3 })
    expect(declaration.topics).toEqual({
      deleteRetentionMs: 7 * 86_400_000,
      erasureMs: 30 * 86_400_000,
      minCompactionLagMs: 3_600_000,
    })
    expect(declaration.sources.get('erp')).toEqual({
      name: 'erp',
      type: 'postgres',
      url: ENVIRONMENT.ERP_URL,
      slot: 'tributary_acme_erp',
      publication: 'tributary_acme_erp',
      heartbeatMs: 30_000,
      walWarningBytes: 1024 ** 3,
      snapshot: { chunkRows: 5000, tables: 2 },
      onLostHistory: 'resnapshot',
    })
    expect(declaration.entities.get('customer')).toEqual({
      name: 'customer',
      source: 'erp',
      authority: 'erp',
      consistency: 'eventual',
      table: { schema: 'public', name: 'customers' },
      key: ['id'],
      class: 'standard',
      owner: 'sales',
      freshnessSeconds: 900,
      partitions: 6,
      fields: [
        { name: 'id', type: { kind: 'int64' }, personal: false },
        { name: 'name', type: { kind: 'string' }, personal: true },
        { name: 'extra', type: { kind: 'json' }, personal: false },
      ],
      columns: new Map([
        ['id', 'id'],
        ['name', 'cust_name'],
        ['extra', 'extra'],
      ]),
    })
  })

  it('has mappings that a destination can work from', () => {
    const { entities, subscribers } = sound(PIPELINE)
    const { mappings, ...warehouse } = subscribers.get('warehouse')!
    expect(warehouse).toEqual({
      name: 'warehouse',
      type: 'warehouse',
      concurrency: 4,
      retry: { attempts: 5, firstMs: 1000, deadAfterMs: 3_600_000 },
      breaker: { failures: 5, probeEveryMs: { first: 1000, most: 30_000 } },
      connection: { url: ENVIRONMENT.WAREHOUSE_URL, schema: 'public', statementTimeoutMs: 30_000 },
    })
    const rest = { keyFields: [], updateOnly: false, lookups: {}, onDelete: 'hard' }
    expect(mappings).toEqual([
      {
        entity: entities.get('customer'),
        target: 'customer',
        fields: [
          { to: 'id', from: ['id'], type: { kind: 'int64' }, transform: null },
          { to: 'full_name', from: ['name'], type: { kind: 'string' }, transform: null },
        ],
        ...rest,
      },
      {
        entity: entities.get('order-line'),
        target: 'order_line',
        fields: [
          { to: 'order_id', from: ['order_id'], type: { kind: 'uuid' }, transform: null },
          { to: 'line', from: ['line'], type: { kind: 'int32' }, transform: null },
        ],
        ...rest,
      },
    ])
  })

  it("takes an entity's delete policy before the subscriber's", () => {
    const text = changed(
      ['url: ${WAREHOUSE_URL}', 'url: ${WAREHOUSE_URL}\n    onDelete: soft'],
      ['      order-line:\n', '      order-line: { onDelete: archive }\n'],
    )
    expect(
      sound(text)
        .subscribers.get('warehouse')!
        .mappings.map((mapping) => mapping.onDelete),
    ).toEqual(['soft', 'archive'])
  })

  it('reads quoted table names as they are', () => {
    const text = changed(['public.customers', `'"Sales"."Cust ""A"".x"'`])
    expect(sound(text).entities.get('customer')!.table).toEqual({ schema: 'Sales', name: 'Cust "A".x' })
  })

  it.each(['off', '0s'])('sends no heartbeats when they are %s', (heartbeat) => {
    const text = changed(['url: ${ERP_URL}', `url: \${ERP_URL}\n    heartbeat: ${heartbeat}\n    walWarning: 5GB`])
    expect(sound(text).sources.get('erp')).toMatchObject({ heartbeatMs: 0, walWarningBytes: 5 * 1024 ** 3 })
  })

  it('allows two entities on one source table', () => {
    sound(changed(['table: order_lines', 'table: customers']))
  })

  it('allows entities and fields with the names of what every object inherits', () => {
    const text = changed(
      ['  order-line:\n    source', '  constructor:\n    source'],
      ['      order-line:\n', '      constructor:\n'],
      ['extra: json', 'toString: json'],
    )
    expect([...sound(text).entities.keys()]).toEqual(['customer', 'constructor'])
  })

  it('may have no subscriber yet', () => {
    expect(sound(PIPELINE.slice(0, PIPELINE.indexOf('subscribers:'))).subscribers.size).toBe(0)
  })

  it('follows aliases', () => {
    const text = changed(['owner: sales', 'owner: &team sales'], ['owner: orders', 'owner: *team'])
    expect(sound(text).entities.get('order-line')!.owner).toBe('sales')
  })
})

describe('references', () => {
  it('stand for numbers and lists too', () => {
    const text = changed(['brokers: kafka:9092', 'brokers: ${BROKERS}\n  replication: ${REPLICATION}'])
    const env = { ...ENVIRONMENT, BROKERS: 'a:1, b:2', REPLICATION: '2' }
    expect(sound(text, env).kafka).toEqual({ brokers: ['a:1', 'b:2'], replication: 2 })
  })

  it('stand for true and false', () => {
    const text = changed(['personal: true', 'personal: ${PERSONAL:-true}'])
    expect(sound(text).entities.get('customer')!.fields[1]!.personal).toBe(true)
  })

  it('need no quotes inside braces and brackets', () => {
    const text = changed(
      ['{ url: redis://redis:6379 }', '{ url: ${REDIS:-redis://default:6379} }'],
      ['brokers: kafka:9092', 'brokers: [${BROKER}, "${BROKER}"]'],
    )
    const declaration = sound(text, { ...ENVIRONMENT, BROKER: 'a:1' })
    expect(declaration.redis.url).toBe('redis://default:6379')
    expect(declaration.kafka.brokers).toEqual(['a:1', 'a:1'])
  })

  it('never change the structure of the file, whatever their values hold', () => {
    const owner = 'a: b\n  - c # d\n"e\' ${ERP_URL} $$ }'
    const declaration = sound(changed(['owner: sales', 'owner: ${OWNER}']), { ...ENVIRONMENT, OWNER: owner })
    expect(declaration.entities.get('customer')!.owner).toBe(owner)
  })

  it('take their default where the variable is unset or empty', () => {
    const text = changed(['owner: sales', 'owner: ${OWNER:-the team}'])
    expect(sound(text).entities.get('customer')!.owner).toBe('the team')
    expect(sound(text, { ...ENVIRONMENT, OWNER: '' }).entities.get('customer')!.owner).toBe('the team')
    expect(sound(text, { ...ENVIRONMENT, OWNER: 'me' }).entities.get('customer')!.owner).toBe('me')
  })

  it('give way to a plain $ written twice', () => {
    const text = changed(['owner: sales', 'owner: $${OWNER} costs $5'])
    expect(sound(text).entities.get('customer')!.owner).toBe('${OWNER} costs $5')
  })

  it('are not expanded in comments', () => {
    sound(changed(['owner: sales', 'owner: sales # not ${THIS}']))
  })

  it('read a secret from the file that VAR_FILE names, without its last line break', () => {
    const path = write('key', `${'s'.repeat(40)}\n`)
    const { FINGERPRINT_KEY: _, ...rest } = ENVIRONMENT
    expect(sound(PIPELINE, { ...rest, FINGERPRINT_KEY_FILE: path }).ledger.fingerprintKey).toBe('s'.repeat(40))
  })

  it('take the variable itself before its file', () => {
    const env = { ...ENVIRONMENT, FINGERPRINT_KEY_FILE: join(folder, 'nothing') }
    expect(sound(PIPELINE, env).ledger.fingerprintKey).toBe(ENVIRONMENT.FINGERPRINT_KEY)
  })

  it('refuse a secret file without an end', () => {
    const { FINGERPRINT_KEY: _, ...rest } = ENVIRONMENT
    const { problems } = checkDeclaration(PIPELINE, 'p.yaml', { ...rest, FINGERPRINT_KEY_FILE: '/dev/zero' })
    expect(problems.map((problem) => problem.message)).toEqual([
      'the file that FINGERPRINT_KEY_FILE names cannot be read (over 64 KiB)',
    ])
  })
})

describe('loadDeclaration', () => {
  it('loads the example of the repository, which is the demo pipeline', () => {
    const declaration = loadDeclaration('tributary.yaml', EXAMPLE_ENVIRONMENT)
    expect([...declaration.entities.keys()]).toEqual(['customer', 'product', 'stock-level', 'order', 'invoice'])
    expect(declaration.entities.get('stock-level')!.key).toEqual(['product_id', 'location'])
    expect(declaration.kafka).toEqual({ brokers: ['127.0.0.1:9092', '127.0.0.1:9093'], replication: 1 })
    const critical = [...declaration.entities.values()].filter((entity) => entity.class === 'critical')
    expect(critical.map((entity) => entity.name)).toEqual(expect.arrayContaining(['order', 'invoice']))
    const personal = [...declaration.entities.values()].flatMap((entity) =>
      entity.fields.filter((field) => field.personal).map((field) => `${entity.name}.${field.name}`),
    )
    expect(personal).toEqual([
      'customer.name',
      'customer.email',
      'customer.phone',
      'customer.tax_id',
      'customer.address',
      'order.shipping_address',
    ])
    const policies = declaration.subscribers.get('warehouse')!.mappings.map((mapping) => mapping.onDelete)
    expect(policies).toEqual(['hard', 'hard', 'hard', 'soft', 'archive'])
  })

  it('throws one error that lists every problem and ends a command with exit code 2', () => {
    const path = write('broken.yaml', changed(['id: int64', 'id: int46'], ['key: id', 'key: idd']))
    const error = thrownBy(() => loadDeclaration(path, ENVIRONMENT))
    expect(error.code).toBe('declaration-invalid')
    expect(error.exitCode).toBe(2)
    expect(error.message.split('\n').map((line) => line.replace(path, '').slice(0, 34))).toEqual([
      ' has 2 problems:',
      ':15:10: entities.customer.key: key',
      ':19:11: entities.customer.fields.i',
    ])
  })

  it.each([
    ['a missing file', 'nothing.yaml', undefined, 'does not exist: run this where it is, or name it with --file.'],
    ['a folder', '.', undefined, 'is a directory: name the file itself with --file.'],
    ['a file that is not UTF-8', 'latin1.yaml', Buffer.from([0x6e, 0xe9]), 'is not UTF-8 text: save it as UTF-8.'],
  ])('says in a sentence what is wrong with %s', (_, name, content, sentence) => {
    const path = content === undefined ? join(folder, name) : write(name, content)
    expect(thrownBy(() => loadDeclaration(path, ENVIRONMENT)).message).toBe(`${path} ${sentence}`)
  })

  it('reads no more than a mebibyte', () => {
    expect(thrownBy(() => loadDeclaration('/dev/zero', ENVIRONMENT)).message).toContain('larger than 1 MiB')
  })
})

function thrownBy(action: () => unknown): TributaryError {
  try {
    action()
  } catch (error) {
    if (error instanceof TributaryError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
