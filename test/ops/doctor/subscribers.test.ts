import { expect, test } from 'vitest'
import {
  decideDeadLetters,
  decideDelivery,
  decideMembers,
  decideOffsets,
} from '../../../ops/doctor/subscribers/delivery.ts'
import type { GroupLook, PartitionLook } from '../../../ops/exporter/look.ts'
import type { LagRow } from '../../../ops/lag/lag.ts'

const ROW: LagRow = {
  ...{ subscriber: 'crm', entity: 'order', class: 'critical', owner: 'order-desk', state: 'fresh', members: 1 },
  ...{ lagRecords: 0, lagSeconds: 0, targetSeconds: 30, deadLetters: 0, retryingLetters: 0 },
}
const rows = (...more: Partial<LagRow>[]) => more.map((one) => ({ ...ROW, ...one }))

test('delivery is well, late, or not there; without members nothing waits yet, or records do', () => {
  expect(decideDelivery('crm', rows({}, { entity: 'customer' }))).toMatchObject([
    { result: 'ok', found: '1 member, the oldest unfinished record is 0 s old' },
  ])
  expect(decideDelivery('crm', rows({ members: 0 }))).toMatchObject([{ result: 'warn', todo: 'tributary deliver crm' }])
  expect(decideDelivery('crm', rows({ members: 0, state: 'unread', lagRecords: 5, lagSeconds: 90 }))).toMatchObject([
    {
      result: 'fail',
      subject: 'crm order',
      found: 'nobody delivers: 5 records not finished, the oldest 90 s old (target 30 s)',
      todo: 'tributary deliver crm',
    },
  ])
  expect(decideDelivery('crm', rows({ state: 'late', lagRecords: 5, lagSeconds: 90 }))).toMatchObject([
    { result: 'warn', subject: 'crm order' },
  ])
})

test('dead letters are a warning by entity; those that are tried again are none', () => {
  expect(decideDeadLetters('crm', rows({}))).toMatchObject([{ result: 'ok', found: 'none' }])
  expect(decideDeadLetters('crm', rows({ retryingLetters: 3 }))).toMatchObject([
    { result: 'ok', found: 'none is dead; 3 are tried again by themselves' },
  ])
  expect(decideDeadLetters('crm', rows({ deadLetters: 2, retryingLetters: 1 }))).toMatchObject([
    { result: 'warn', subject: 'crm order', todo: 'tributary dlq list crm --entity order' },
  ])
})

const PARTITION: PartitionLook = {
  ...{ entity: 'order', topic: 'shop.order', partition: 0, committed: 5n, low: 0n, high: 5n, waitingSinceMs: null },
}

function group(members: number, ...more: Partial<PartitionLook>[]): GroupLook {
  const partitions = more.map((one, partition) => ({ ...PARTITION, partition, ...one }))
  return { groupId: 'shop.crm.critical', subscriber: 'crm', entityClass: 'critical', members, partitions }
}

test('members beyond the partitions do nothing', () => {
  expect(decideMembers('crm', [group(2, {}, {})])).toMatchObject([
    { result: 'ok', found: 'critical: 2 members for 2 partitions' },
  ])
  expect(decideMembers('crm', [group(3, {}, {})])).toMatchObject([
    { result: 'warn', found: expect.stringContaining('1 of them do nothing') },
  ])
})

test('offsets are there, are to come, or lie beyond a topic that was made anew', () => {
  expect(decideOffsets('crm', [group(1, {}, {})])).toMatchObject([{ result: 'ok', found: 'committed in 2 partitions' }])
  expect(decideOffsets('crm', [group(1, {}, { committed: null, high: 0n })])).toMatchObject([
    { result: 'ok', found: 'committed in 1 of 2 partitions; the others are empty' },
  ])
  expect(decideOffsets('crm', [group(0, {}, { committed: null })])).toMatchObject([
    { result: 'warn', found: expect.stringContaining('1 of 2 partitions with records') },
  ])
  expect(decideOffsets('crm', [group(0, { committed: 9n })])).toMatchObject([
    { result: 'fail', todo: expect.stringContaining('tributary rewind crm order --to beginning') },
  ])
})
