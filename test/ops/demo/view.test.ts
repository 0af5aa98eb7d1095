import fc from 'fast-check'
import { expect, test } from 'vitest'
import { wrapCommand } from '../../../ops/demo/view/command.ts'
import { barText, durationText, latencyText, rateText, sparkText } from '../../../ops/demo/view/numbers.ts'
import { renderChange, renderJson, renderSummary } from '../../../ops/demo/view/plain.ts'
import { keyText } from '../../../ops/demo/view/value-text.ts'
import { clip, displayWidth, safeText } from '../../../ops/demo/view/width.ts'
import { renderView } from '../../../ops/demo/view.ts'
import type { Stage } from '../../../ops/demo/view-model.ts'
import { applied, fillStreaming, STARTED_AT_MS, sampleModel } from './sample-model.ts'

const STAGES: readonly Stage[] = ['starting', 'snapshot', 'streaming', 'stopping']
const newer = { epoch: 1n, position: 2n, ordinal: 0 }
const withoutCodes = (text: string) => text.replaceAll('\x1b', '␛').replaceAll(/␛\[\d*m/g, '')

function streaming(columns: number, rows: number): string {
  const model = sampleModel()
  const nowMs = fillStreaming(model)
  return renderView(model.snapshot(nowMs), columns, rows, false).join('\n')
}

test('streaming at 100 columns shows flow, subscribers, one change as three patches, the list and what to try', () => {
  expect(streaming(100, 36)).toMatchInlineSnapshot(`
    "  tributary   ● streaming changes                                                         00:00:17
      ────────────────────────────────────────────────────────────────────────────────────────────────
      ✓ kafka  ✓ registry  ✓ redis  ✓ postgres

      captured 1.4/s  →  published 1.4/s  →  patched 1.4/s              ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▃▃▃▃█▃

      subscriber                state            behind  last 14 s           p50      p99 dead letters
      warehouse   PostgreSQL    ● ok                  2  ▁▁▁▁▁▁▁▁▁▁▁▁▂▂    40 ms    1.9 s            1
      crm         Dynamics 365  ● ok                  0  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁    88 ms    88 ms            0
      store       Shopify       ● ok                  0  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁   102 ms   102 ms            0

      one change, three patches   customers 42  at 14:03:15
        warehouse   ~ credit_limit=15000.00  segment=public                                      41 ms
        crm         ~ creditlimit=15000.00  industrycode=3                                       88 ms
        store       ~ metafields.custom.credit=15000.00 EUR                                     102 ms

      time      subscriber  entity       key            the patch it became                    latency
      14:03:16  warehouse   invoices     612            ~ issued_on=2024-10-04                   40 ms
      14:03:14  warehouse   customers    9893           + name=•••  tax_id=••• +4                40 ms
      14:03:13  warehouse   stock_levels 1970 · Gdańsk  ~ quantity=44                           8.3 ms
      14:03:12  warehouse   products     77             ~ price=12.99                            1.8 s
      14:03:11  warehouse   orders       43cea9eb-…3d6f − deleted                                33 ms




      Change something yourself
        psql 'postgres://tributary:demo@127.0.0.1:54321/erp' \\
          -c "UPDATE customers SET credit_limit = credit_limit + 500 WHERE customer_id = 42"
      and see it in the warehouse
        psql 'postgres://tributary:demo@127.0.0.1:54321/warehouse' \\
          -c "SELECT * FROM customers WHERE customer_id = 42"
      Metrics  http://127.0.0.1:9464/metrics
      ────────────────────────────────────────────────────────────────────────────────────────────────
      f makes the store fail   Ctrl-C stops everything and leaves nothing behind"
  `)
})

test('streaming at 80 columns and 24 rows keeps the subscribers, the one change and the command', () => {
  expect(streaming(80, 24)).toMatchInlineSnapshot(`
    "  tributary   ● streaming changes                                     00:00:17
      ────────────────────────────────────────────────────────────────────────────
      captured 1.4/s  →  published 1.4/s  →  patched 1.4/s   ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▃▃▃▃█▃
      subscriber state           behind  last 12 s          p50       p99     dead
      warehouse  ● ok                 2  ▁▁▁▁▁▁▁▁▁▁▂▂     40 ms     1.9 s        1
      crm        ● ok                 0  ▁▁▁▁▁▁▁▁▁▁▁▁     88 ms     88 ms        0
      store      ● ok                 0  ▁▁▁▁▁▁▁▁▁▁▁▁    102 ms    102 ms        0

      one change, three patches   customers 42  at 14:03:15
        warehouse   ~ credit_limit=15000.00  segment=public                  41 ms
        crm         ~ creditlimit=15000.00  industrycode=3                   88 ms
        store       ~ metafields.custom.credit=15000.00 EUR                 102 ms
      time      subscriber entity       key       the patch it became      latency
      14:03:16  warehouse  invoices     612       ~ issued_on=2024-10-04     40 ms
      14:03:14  warehouse  customers    9893      + name=••• +5              40 ms
      14:03:13  warehouse  stock_levels 1970 · G… ~ quantity=44             8.3 ms
      14:03:12  warehouse  products     77        ~ price=12.99              1.8 s

      Change something yourself
        psql 'postgres://tributary:demo@127.0.0.1:54321/erp' \\
          -c "UPDATE customers SET credit_limit = credit_limit + 500 WHERE
            customer_id = 42"
      ────────────────────────────────────────────────────────────────────────────
      f makes the store fail   Ctrl-C stops everything and leaves nothing behind"
  `)
})

test('a snapshot shows a bar, rows, rate and time left for each entity', () => {
  const model = sampleModel()
  const progress = { source: 'erp', entity: 'customers', rowsEstimated: 20_000, startedAtMs: STARTED_AT_MS }
  model.setStage('snapshot')
  model.onSnapshotProgress({ ...progress, rowsDone: 20_000, done: true }, STARTED_AT_MS + 2_000)
  model.onSnapshotProgress(
    { ...progress, entity: 'orders', rowsDone: 7_500, rowsEstimated: 30_000, done: false },
    STARTED_AT_MS + 2_500,
  )
  expect(renderView(model.snapshot(STARTED_AT_MS + 3_000), 100, 30, false).join('\n')).toMatchInlineSnapshot(`
    "  tributary   ● copying what is there                                                     00:00:03
      ────────────────────────────────────────────────────────────────────────────────────────────────

      captured 0/s  →  published 0/s  →  patched 0/s

      entity        snapshot                                               rows      per s       left
      customers     █████████████████████████████████████████            20,000     10,000    ✓ 2.0 s
      products      waits
      stock_levels  waits
      orders        ██████████▎░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░    7,500 / 30,000      2,500        9 s
      invoices      waits

      subscriber                state            behind  last 14 s           p50      p99 dead letters
      warehouse   PostgreSQL    ● ok                  –  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁        –        –            0
      crm         Dynamics 365  ● ok                  –  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁        –        –            0
      store       Shopify       ● ok                  –  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁        –        –            0

      Ctrl-C stops everything and leaves nothing behind"
  `)
})

test('a starting stack shows each service with its state and time', () => {
  const model = sampleModel()
  model.setService('kafka', 'starting', '', STARTED_AT_MS)
  model.setService('registry', 'waiting', '', STARTED_AT_MS)
  model.setService('redis', 'starting', '', STARTED_AT_MS)
  model.setService('redis', 'ready', '127.0.0.1:6379', STARTED_AT_MS + 400)
  model.setService('postgres', 'starting', '', STARTED_AT_MS)
  model.setService('postgres', 'failed', 'port 5432 is taken', STARTED_AT_MS + 700)
  expect(renderView(model.snapshot(STARTED_AT_MS + 3_250), 80, 24, false).join('\n')).toMatchInlineSnapshot(`
    "  tributary   ● starting the local stack                              00:00:03
      ────────────────────────────────────────────────────────────────────────────

      ◌ kafka                3.3 s   starting
      · registry                     waiting
      ✓ redis                0.4 s   127.0.0.1:6379
      ✗ postgres             0.7 s   port 5432 is taken

      Ctrl-C stops everything and leaves nothing behind"
  `)
})

test('no line is wider than the terminal and no screen higher, whatever the data and the size', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.constantFrom('株式会社', '👩‍👩‍👧', '\x1b[2J', 'é\n\t', '‮x'),
  )
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 160 }),
      fc.integer({ min: 0, max: 60 }),
      fc.constantFrom(...STAGES),
      fc.array(fc.tuple(text, text, fc.double({ min: 0, max: 1e9, noNaN: true })), { maxLength: 12 }),
      (columns, rows, stage, changes) => {
        const model = sampleModel()
        let nowMs = fillStreaming(model)
        model.setStage(stage)
        for (const [key, note, latencyMs] of changes) {
          nowMs += 600
          model.setService(`${note}x`, 'failed', note, nowMs)
          model.onApplied(applied({ entity: 'orders', key, fields: { note }, latencyMs }), nowMs)
        }
        const plain = renderView(model.snapshot(nowMs), columns, rows, false)
        const painted = renderView(model.snapshot(nowMs), columns, rows, true)
        expect(plain.length).toBeLessThanOrEqual(rows)
        for (const line of plain) {
          expect(displayWidth(line)).toBeLessThanOrEqual(columns)
          expect(line).not.toMatch(/[\p{Cc}]/u)
        }
        expect(painted.map(withoutCodes)).toEqual(plain)
      },
    ),
    { numRuns: 120 },
  )
})

test('a value of a personal field, and of a field nobody described, is masked', () => {
  const model = sampleModel()
  model.setStage('streaming')
  const fields = { name: 'Erika Secret', tax_id: 'DE999', undeclared: 'Hidden', credit_limit: '1.00' }
  model.onApplied(applied({ entity: 'customers', key: '7', fields }), STARTED_AT_MS)
  const screen = renderView(model.snapshot(STARTED_AT_MS), 120, 40, false).join('\n')
  expect(screen).toContain('name=•••  tax_id=•••  undeclared=•••  credit_limit=1.00')
  expect(screen).not.toMatch(/Secret|DE999|Hidden/)
})

test('a plain summary holds stage, rates, latency, lag, dead letters and subscribers in one line', () => {
  const model = sampleModel()
  const nowMs = fillStreaming(model)
  expect(renderSummary(model.snapshot(nowMs))).toBe(
    '00:00:17 streaming  captured 1.4/s  published 1.4/s  patched 1.4/s  latency p50 40 ms  p95 1.9 s  p99 1.9 s  lag 2  dead letters 1' +
      '  warehouse ok 2 behind  crm ok 0 behind  store ok 0 behind',
  )
})

test('the change that is followed is one plain line, and none before it is everywhere', () => {
  const model = sampleModel()
  const nowMs = fillStreaming(model)
  expect(renderChange(model.snapshot(nowMs))).toBe(
    'one change  customers 42 at 14:03:15:  warehouse credit_limit=15000.00 segment=public  |  ' +
      'crm creditlimit=15000.00 industrycode=3  |  store metafields.custom.credit=15000.00 EUR',
  )
  const next = applied({ entity: 'customers', key: '42', version: newer, fields: { credit_limit: '15500.00' } })
  model.onApplied(next, nowMs)
  expect(renderChange(model.snapshot(nowMs))).toBe('')
})

test('a program gets the subscribers and the change as JSON', () => {
  const model = sampleModel()
  const told = JSON.parse(renderJson(model.snapshot(fillStreaming(model))))
  expect(told.subscribers.map(({ name, state, behind }: Record<string, unknown>) => [name, state, behind])).toEqual([
    ['warehouse', 'ok', 2],
    ['crm', 'ok', 0],
    ['store', 'ok', 0],
  ])
  expect(told.oneChange.arrivals.map(({ state }: { state: string }) => state)).toEqual([
    'arrived',
    'arrived',
    'arrived',
  ])
})

test('an outage shows who is down, what it waits for, how it catches up, and which key heals it', () => {
  const model = sampleModel()
  const nowMs = fillStreaming(model)
  const lines = (atMs: number) => renderView(model.snapshot(atMs), 100, 36, false)
  const change = applied({ entity: 'customers', key: '42', version: newer, fields: { credit_limit: '15500.00' } })
  model.setOutage({ subscriber: 'store', failing: true, key: 'f' })
  model.onBreaker('store', 'critical', 'open', nowMs)
  model.onApplied(change, nowMs)
  model.setLag('store', 84, nowMs + 19_000)
  expect(lines(nowMs + 20_000).filter((line) => /store/.test(line))).toEqual([
    '  store       Shopify       ● breaker open       84  ▁▁▁▁▁▁▁▁▁▁▁▁██        –        –            0',
    '  ! store is down for 20 s; its changes wait, and the others go on',
    '    store         waits: it is down',
    '  f heals the store   Ctrl-C stops everything and leaves nothing behind',
  ])
  model.onBreaker('store', 'critical', 'closed', nowMs + 20_000)
  expect(lines(nowMs + 20_500).join('\n')).toContain('! store is back after 20 s, and catches up')
  model.setLag('store', 1, nowMs + 21_500)
  expect(lines(nowMs + 22_000).join('\n')).toContain(
    '✓ store was down 20 s and caught up by itself: 84 changes in 1.5 s, none dead',
  )
})

test('a wrapped command is the same command for the shell', () => {
  const command = `psql 'postgres://u:p@127.0.0.1:5432/erp' -c "UPDATE customers SET credit_limit = credit_limit + 500 WHERE customer_id = 42"`
  for (let columns = 48; columns <= 140; columns++) {
    const lines = wrapCommand(command, columns)
    for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(columns)
    expect(
      lines
        .join('\n')
        .replaceAll(/ \\\n\s+/g, ' ')
        .replaceAll(/\n\s+/g, ' '),
    ).toBe(command)
  }
})

test('wide, combining and unprintable characters count as the cells they take', () => {
  expect(displayWidth('株式会社')).toBe(8)
  expect(displayWidth('é')).toBe(1)
  expect(displayWidth('📦')).toBe(2)
  expect(clip('株式会社', 6)).toBe('株式…')
  expect(safeText('a\x1b[2Jb\u202ec')).toBe('a·[2Jb·c')
})

test('keys are shortened in the middle, and composite keys stand beside each other', () => {
  expect(keyText('43cea9eb-0e1f-4aab-a104-2269aefb3d6f', 16)).toBe('43cea9eb-0e…3d6f')
  expect(keyText('["1970","Gdańsk"]', 16)).toBe('1970 · Gdańsk')
  expect(keyText('["broken', 16)).toBe('["broken')
})

test('numbers are short and say their unit', () => {
  expect([0.04, 9.94, 9.96, 41.4, 999.4, 999.6, 61_000, 7_500_000].map(latencyText)).toEqual([
    '0.0 ms',
    '9.9 ms',
    '10 ms',
    '41 ms',
    '999 ms',
    '1.0 s',
    '1.0 min',
    '2.1 h',
  ])
  expect([400, 59_400, 59_600, 3_600_000, 7_500_000].map(durationText)).toEqual([
    '0.4 s',
    '59 s',
    '1 min',
    '1 h',
    '2 h 5 min',
  ])
  expect([0, 0.4, 9.96, 1_020].map(rateText)).toEqual(['0', '0.4', '10', '1,020'])
  expect([barText(0, 4), barText(0.53, 4), barText(7, 4)].map(({ done, rest }) => done + rest)).toEqual([
    '░░░░',
    '██▏░',
    '████',
  ])
  expect(sparkText([0, 1, 2, 4])).toBe('▁▃▅█')
})
