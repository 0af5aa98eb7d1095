import type { Applied, ViewAccumulator } from '../../../ops/demo/view-model.ts'
import { createViewModel } from '../../../ops/demo/view-model.ts'
import type { FieldType } from '../../../schemas/field-type.ts'

/** 14:03:00 UTC on some day; the sample shows times of day in UTC. */
export const STARTED_AT_MS = Date.UTC(2026, 4, 6, 14, 3, 0)

const decimal = { kind: 'decimal', precision: 14, scale: 2 } as const

const text = { kind: 'string' } as const

function field(name: string, type: FieldType, { from = [name], personal = false } = {}) {
  return { name, from, type, personal }
}

/** A model of five entities and three subscribers with nothing in it yet. */
export function sampleModel(): ViewAccumulator {
  return createViewModel(STARTED_AT_MS, {
    entities: ['customers', 'products', 'stock_levels', 'orders', 'invoices'],
    subscribers: [
      {
        name: 'warehouse',
        type: 'warehouse',
        entities: [
          {
            name: 'customers',
            fields: [
              field('name', text, { personal: true }),
              field('tax_id', text, { personal: true }),
              field('credit_limit', decimal),
              field('segment', text),
              field('address', { kind: 'json' }),
              field('updated_at', { kind: 'timestamptz' }),
            ],
          },
          { name: 'products', fields: [field('price', decimal)] },
          { name: 'stock_levels', fields: [field('quantity', { kind: 'int32' })] },
          { name: 'orders', fields: [field('note', text)] },
          { name: 'invoices', fields: [field('issued_on', { kind: 'date' })] },
        ],
      },
      {
        name: 'crm',
        type: 'dataverse',
        entities: [
          {
            name: 'customers',
            fields: [
              field('creditlimit', decimal, { from: ['credit_limit'] }),
              field('industrycode', { kind: 'int64' }, { from: ['segment'] }),
            ],
          },
        ],
      },
      {
        name: 'store',
        type: 'shopify',
        entities: [
          {
            name: 'customers',
            fields: [field('metafields.custom.credit', text, { from: ['credit_limit', 'currency'] })],
          },
        ],
      },
    ],
    hints: {
      tryIt: `psql 'postgres://tributary:demo@127.0.0.1:54321/erp' -c "UPDATE customers SET credit_limit = credit_limit + 500 WHERE customer_id = 42"`,
      lookAt: `psql 'postgres://tributary:demo@127.0.0.1:54321/warehouse' -c "SELECT * FROM customers WHERE customer_id = 42"`,
      metrics: 'http://127.0.0.1:9464/metrics',
    },
    watch: (entity, key) => entity === 'customers' && key === '42',
    timeText: (atMs) => new Date(atMs).toISOString().slice(11, 19),
  })
}

export function applied(change: Partial<Applied> & Pick<Applied, 'entity' | 'key'>): Applied {
  return {
    subscriber: 'warehouse',
    version: { epoch: 1n, position: 1n, ordinal: 0 },
    fields: {},
    full: false,
    kind: 'update',
    latencyMs: 40,
    ...change,
  }
}

/** The sample after its snapshot and some live changes; returns the moment it stands for. */
export function fillStreaming(model: ViewAccumulator): number {
  for (const [name, rows] of [
    ['customers', 20_000],
    ['products', 2_000],
    ['stock_levels', 10_000],
    ['orders', 30_000],
    ['invoices', 25_874],
  ] as const) {
    const progress = { source: 'erp', entity: name, rowsDone: rows, rowsEstimated: rows, startedAtMs: STARTED_AT_MS }
    model.onSnapshotProgress({ ...progress, done: true }, STARTED_AT_MS + 1_500)
    model.onPublished(name, rows, STARTED_AT_MS + 1_000)
  }
  for (const name of ['kafka', 'registry', 'redis', 'postgres']) {
    model.setService(name, 'starting', '', STARTED_AT_MS)
    model.setService(name, 'ready', '127.0.0.1', STARTED_AT_MS + 900)
  }
  model.setStage('streaming')
  const crm = { subscriber: 'crm', entity: 'customers', key: '42' }
  const store = { subscriber: 'store', entity: 'customers', key: '42' }
  const changes = [
    applied({ entity: 'orders', key: '43cea9eb-0e1f-4aab-a104-2269aefb3d6f', kind: 'delete', latencyMs: 33 }),
    applied({ entity: 'products', key: '77', fields: { price: '12.99' }, latencyMs: 1_840 }),
    applied({ entity: 'stock_levels', key: '["1970","Gdańsk"]', fields: { quantity: 44n }, latencyMs: 8.25 }),
    applied({
      entity: 'customers',
      key: '9893',
      kind: 'create',
      full: true,
      fields: {
        name: '株式会社佐藤製作所',
        tax_id: 'T1234567890123',
        credit_limit: '500.00',
        segment: 'wholesale',
        address: '{"street": "本町105番地", "city": "横浜", "country": "JP"}',
        updated_at: BigInt(STARTED_AT_MS + 13_000) * 1_000n,
      },
    }),
    applied({ entity: 'customers', key: '42', fields: { credit_limit: '15000.00', segment: 'public' }, latencyMs: 41 }),
    applied({ ...crm, fields: { creditlimit: '15000.00', industrycode: 3n }, latencyMs: 88 }),
    applied({ ...store, fields: { 'metafields.custom.credit': '15000.00 EUR' }, latencyMs: 102 }),
    applied({ entity: 'invoices', key: '612', fields: { issued_on: 20_000 } }),
  ]
  let nowMs = STARTED_AT_MS + 10_000
  for (const change of changes) {
    nowMs += change.subscriber === 'warehouse' ? 1_000 : 0
    model.onCaptured(1, nowMs)
    model.onPublished(change.entity, 1, nowMs)
    model.onApplied(change, nowMs)
  }
  model.onGated('customers', 3)
  model.setLag('warehouse', 2, nowMs)
  model.setLag('crm', 0, nowMs)
  model.setLag('store', 0, nowMs)
  model.onDeadLetter('warehouse')
  model.setOutage({ subscriber: 'store', failing: false, key: 'f' })
  return nowMs + 1_000
}
