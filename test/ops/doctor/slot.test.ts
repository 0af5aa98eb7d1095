import { expect, test } from 'vitest'
import type { FailoverFacts } from '../../../connectors/postgres/slot/failover.ts'
import type { Retention } from '../../../connectors/postgres/slot/retention.ts'
import type { SlotFacts } from '../../../connectors/postgres/slot/slot.ts'
import { decideLog, decideSlot, decideTransactions } from '../../../ops/doctor/source/slot.ts'

const MB = 1024 * 1024
const SOURCE = { name: 'erp', slot: 'tributary_shop_erp', onLostHistory: 'resnapshot' } as const

const SLOT: SlotFacts = {
  ...{ plugin: 'pgoutput', slot_type: 'logical', database: 'shop', temporary: false, active: true, active_pid: 77 },
  ...{ confirmed_flush_lsn: 1n, wal_status: 'reserved' },
}
const FAILOVER: FailoverFacts = {
  ...{ slot: SOURCE.slot, canFailOver: true, failover: true, active: true, standbys: 0 },
}
const RETENTION: Retention = {
  ...{ retainedBytes: 10 * MB, unconfirmedBytes: 0, unsentBytes: 0, limitBytes: 100 * MB, safeBytes: 90 * MB },
  ...{ walStatus: 'reserved', invalidation: null, active: true, oldestTransaction: null },
}

const slotOf = (slot: SlotFacts | undefined, failover: FailoverFacts | undefined = FAILOVER) =>
  decideSlot(SOURCE, { slot, failover, retention: undefined })

test('a slot that is read is well; one that is not, or not yet, needs capture to be started', () => {
  expect(slotOf(SLOT)).toMatchObject([{ result: 'ok', found: expect.stringContaining('server process 77') }])
  expect(slotOf({ ...SLOT, active: false })).toMatchObject([{ result: 'warn', todo: 'tributary capture erp' }])
  expect(slotOf(undefined)).toMatchObject([{ result: 'warn', todo: 'tributary capture erp' }])
})

test('a slot that the server gave up fails, with what begins anew', () => {
  const lost = { ...SLOT, active: false, wal_status: 'lost' }
  expect(slotOf(lost)).toMatchObject([{ result: 'fail', todo: expect.stringContaining('tributary capture erp') }])
  const held = decideSlot(
    { ...SOURCE, onLostHistory: 'hold' },
    { slot: lost, failover: undefined, retention: undefined },
  )
  expect(held).toMatchObject([{ result: 'fail', todo: expect.stringContaining('tributary recover erp') }])
})

test('a slot that a failover would lose is told where there is a standby', () => {
  expect(slotOf(SLOT, { ...FAILOVER, failover: false })).toMatchObject([{ result: 'ok' }])
  expect(slotOf(SLOT, { ...FAILOVER, failover: false, standbys: 1 })).toMatchObject([
    { result: 'warn', todo: expect.stringContaining('ALTER_REPLICATION_SLOT tributary_shop_erp ( FAILOVER true )') },
  ])
})

test('kept log is a warning without a limit, at half of it, and fails near its end', () => {
  const log = (more: Partial<Retention>) => decideLog('erp', { ...RETENTION, ...more })[0]!
  expect(log({})).toMatchObject({ result: 'ok', found: '10 MB of 100 MB kept (10 %), wal_status reserved' })
  expect(log({ limitBytes: null })).toMatchObject({
    result: 'warn',
    found: expect.stringContaining('10 MB kept, without a limit'),
    todo: expect.stringContaining('ALTER SYSTEM SET max_slot_wal_keep_size'),
  })
  const idle = log({ retainedBytes: 60 * MB, active: false })
  expect(idle).toMatchObject({ result: 'warn', found: expect.stringContaining('nobody reads it') })
  expect(idle.todo).toBe(
    "Start the capture of this source\nTo gain time: ALTER SYSTEM SET max_slot_wal_keep_size = '200MB'; SELECT pg_reload_conf()",
  )
  expect(log({ retainedBytes: 95 * MB })).toMatchObject({ result: 'fail' })
  expect(log({ walStatus: 'unreserved' })).toMatchObject({ result: 'fail' })
  expect(decideLog('erp', undefined)).toMatchObject([{ result: 'ok' }])
})

test('a transaction that was forgotten is told with what ends it', () => {
  const role = { role: 'capture', seesOthers: false }
  const open = (pid: number | null, ageSeconds: number | null) => {
    const oldestTransaction = { pid, application: 'psql', ageSeconds }
    return decideTransactions('erp', { ...RETENTION, oldestTransaction }, role)[0]!
  }
  expect(decideTransactions('erp', RETENTION, role)).toMatchObject([{ result: 'ok' }])
  expect(open(9, 30)).toMatchObject({ result: 'ok', found: expect.stringContaining('30 s') })
  expect(open(9, 3600)).toMatchObject({ result: 'warn', todo: expect.stringContaining('pg_terminate_backend(9)') })
  expect(open(null, 3600)).toMatchObject({ result: 'warn', todo: expect.stringContaining('pg_prepared_xacts') })
  expect(open(9, null)).toMatchObject({ result: 'ok', found: expect.stringContaining('GRANT pg_monitor TO "capture"') })
})
