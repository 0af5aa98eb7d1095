import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { QueueItem } from '../../producers/encode.ts'
import { planSend } from '../../producers/settle.ts'

const record = (key: string, bytes = 10, committedAt = 1n): QueueItem => ({
  kind: 'record',
  record: { topic: 'p.customer', key, value: Buffer.alloc(0), headers: {} },
  bytes,
  committedAt,
})
const mark = (position: bigint): QueueItem => ({
  kind: 'settle',
  settled: { position, mark: null },
})
const barrier = (key: string): QueueItem => ({
  kind: 'barrier',
  record: { topic: 'p.positions', key, value: Buffer.alloc(0), headers: {} },
  bytes: 10,
})

describe('planSend', () => {
  test('takes marks right behind the last record, so that they settle with it', () => {
    const plan = planSend([record('a'), mark(1n), record('b'), mark(2n), record('c')], 2, 1000)
    expect(plan.records.map(({ key }) => key)).toEqual(['a', 'b'])
    expect(plan.settles?.position).toBe(2n)
    expect(plan.items).toBe(4)
  })

  test('settles nothing while the transaction it belongs to is only half in the send', () => {
    const plan = planSend([record('a'), record('b'), mark(1n)], 1, 1000)
    expect(plan.settles).toBeNull()
  })

  test('sends a record that is larger than the limit, alone', () => {
    const plan = planSend([record('large', 5000), record('b')], 100, 1000)
    expect(plan.records.map(({ key }) => key)).toEqual(['large'])
  })

  test('sends a barrier alone: nothing before it may fail in the same send, nothing after it may come first', () => {
    const items = [record('a'), barrier('state'), mark(7n), record('b')]
    const first = planSend(items, 100, 1000)
    expect(first.records.map(({ key }) => key)).toEqual(['a'])
    expect(first.settles).toBeNull()
    const second = planSend(items.slice(first.items), 100, 1000)
    expect(second.records.map(({ key }) => key)).toEqual(['state'])
    expect(second.settles?.position).toBe(7n)
  })

  test('ends a send where the position is to be stored, so that nothing behind it goes first', () => {
    const items: QueueItem[] = [record('a'), mark(7n), { kind: 'store' }, record('b'), mark(8n)]
    const first = planSend(items, 100, 1000)
    expect(first.records.map(({ key }) => key)).toEqual(['a'])
    expect(first).toMatchObject({ items: 3, stores: true, settles: { position: 7n } })
    expect(planSend(items.slice(first.items), 100, 1000)).toMatchObject({ items: 2, stores: false })
  })

  test('reports the newest commit of the send', () => {
    expect(planSend([record('a', 1, 5n), record('b', 1, 3n)], 10, 100).committedAt).toBe(5n)
  })

  test('never settles a position before every record ahead of its mark was sent, and keeps the order, whatever the limits', () => {
    const item = fc.oneof(
      { weight: 6, arbitrary: fc.nat({ max: 300 }).map((bytes) => ({ kind: 'record' as const, bytes })) },
      { weight: 3, arbitrary: fc.constant({ kind: 'settle' as const }) },
      { weight: 1, arbitrary: fc.constant({ kind: 'barrier' as const }) },
    )
    fc.assert(
      fc.property(
        fc.array(item, { maxLength: 60 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 400 }),
        (shape, recordsMax, bytesMax) => {
          const items = shape.map((one, index): QueueItem => {
            if (one.kind === 'settle') return mark(BigInt(index + 1))
            return one.kind === 'barrier' ? barrier(String(index)) : record(String(index), one.bytes)
          })
          const sent: string[] = []
          let rest = items
          while (rest.length > 0) {
            const plan = planSend(rest, recordsMax, bytesMax)
            expect(plan.items).toBeGreaterThan(0)
            expect(plan.records.length).toBeLessThanOrEqual(recordsMax)
            sent.push(...plan.records.map(({ key }) => key))
            if (plan.settles !== null) {
              const ahead = items.slice(0, Number(plan.settles.position) - 1).filter(({ kind }) => kind !== 'settle')
              expect(sent.length).toBeGreaterThanOrEqual(ahead.length)
            }
            rest = rest.slice(plan.items)
          }
          expect(sent).toEqual(items.flatMap((one) => ('record' in one ? [one.record.key] : [])))
        },
      ),
    )
  })
})
