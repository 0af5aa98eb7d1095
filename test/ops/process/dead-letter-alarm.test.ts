import { expect, test } from 'vitest'
import { createDeadLetterAlarm, REPEAT_INTERVAL_MS } from '../../../ops/process/dead-letter-alarm.ts'
import type { UnencodableRow } from '../../../producers/capture-dead-letter.ts'
import type { Entity } from '../../../schemas/entity.ts'

const entity = (name: string, personal: boolean): Entity => ({
  name,
  key: ['id'],
  fields: [
    { name: 'id', type: { kind: 'string' }, personal },
    { name: 'credit', type: { kind: 'numeric' }, personal: false },
  ],
  class: 'standard',
  owner: 'sales',
  freshnessSeconds: 60,
})
const ENTITIES = new Map([
  ['customer', entity('customer', false)],
  ['person', entity('person', true)],
])

function row(entityName: string, key: string, field = 'credit'): UnencodableRow {
  const source = {
    system: 'postgres',
    instance: 'erp',
    object: 'public.t',
    position: '0/1',
    transaction: null,
    committedAt: 1n,
    capturedAt: 1n,
  }
  const version = { epoch: 1n, position: 5n, ordinal: 0 }
  return { entity: entityName, key, version, source, field, reason: 'it is not a finite number' }
}

function alarm() {
  const lines: { level: string; message: string; fields: Record<string, unknown> }[] = []
  let nowMs = 0
  const observer = createDeadLetterAlarm(
    (level, message, fields = {}) => lines.push({ level, message, fields }),
    ENTITIES,
    () => nowMs,
  )
  const after = (ms: number) => {
    nowMs += ms
  }
  return { lines, observer, after }
}

test('a line names entity, field, reason, version and key', () => {
  const { lines, observer } = alarm()
  observer.unencodable('erp', row('customer', '42'))
  expect(lines).toMatchObject([
    {
      level: 'warn',
      fields: {
        source: 'erp',
        entity: 'customer',
        field: 'credit',
        reason: 'it is not a finite number',
        key: '42',
        version: '1/5/0',
      },
    },
  ])
})

test('a key that is personal, or of an entity that nothing is known of, is in no line', () => {
  const { lines, observer } = alarm()
  observer.unencodable('erp', row('person', 'ada@example.com'))
  observer.unencodable('erp', row('stranger', 'bob@example.com'))
  expect(JSON.stringify(lines)).not.toContain('example.com')
  expect(lines).toHaveLength(2)
})

test('a row that fails ten thousand times makes one line a minute, which says how many were left out', () => {
  const { lines, observer, after } = alarm()
  for (let time = 0; time < 10_000; time++) observer.unencodable('erp', row('customer', '42'))
  expect(lines).toHaveLength(1)
  observer.unencodable('erp', row('customer', '42', 'other'))
  expect(lines).toHaveLength(2)
  after(REPEAT_INTERVAL_MS)
  observer.unencodable('erp', row('customer', '42'))
  expect(lines).toHaveLength(3)
  expect(lines[2]!.fields.leftOut).toBe(9_999)
})

test('a million different fields do not make a million lines', () => {
  const { lines, observer } = alarm()
  for (let field = 0; field < 5_000; field++) observer.unencodable('erp', row('customer', '42', `field${field}`))
  expect(lines.length).toBeLessThanOrEqual(1_001)
})
