import { expect, it } from 'vitest'
import {
  formatSize,
  judgeRetention,
  type OpenTransaction,
  type Retention,
  type Told,
  UNTOLD,
} from '../../../../connectors/postgres/slot/retention.ts'

const MB = 1024 * 1024
const GB = 1024 * MB

function seen(retainedMB: number, more: Partial<Retention> = {}): Retention {
  return {
    retainedBytes: retainedMB * MB,
    unconfirmedBytes: retainedMB * MB,
    unsentBytes: retainedMB * MB,
    limitBytes: 64 * MB,
    safeBytes: (64 - retainedMB) * MB,
    walStatus: 'reserved',
    invalidation: null,
    active: true,
    oldestTransaction: null,
    ...more,
  }
}

/** The code of each notice, or null, for one look after another. */
function codes(looks: readonly Retention[], warnBytes = GB): (string | null)[] {
  let told: Told = UNTOLD
  return looks.map((look) => {
    const judged = judgeRetention('s', look, told, warnBytes)
    told = judged.told
    return judged.notice?.code ?? null
  })
}

const RETAINED = 'wal-retained'

it('warns at 50, 75 and 90 percent of the limit, each once', () => {
  expect(codes([0, 31, 32, 40, 47, 48, 57, 57.5, 58, 63].map((size) => seen(size)))).toEqual([
    null,
    null,
    RETAINED,
    null,
    null,
    RETAINED,
    null,
    null,
    RETAINED,
    null,
  ])
})

it('warns once where several thresholds are passed between two looks', () => {
  expect(codes([seen(10), seen(60), seen(60)])).toEqual([null, RETAINED, null])
})

it('does not repeat a warning while the size swings around a threshold', () => {
  expect(codes([33, 31, 33, 28, 33].map((size) => seen(size)))).toEqual([RETAINED, null, null, null, null])
})

it('warns again after the size had fallen well below the threshold, and says when it had', () => {
  expect(codes([33, 20, 33].map((size) => seen(size)))).toEqual([RETAINED, 'wal-released', RETAINED])
  expect(codes([60, 40, 60].map((size) => seen(size)))).toEqual([RETAINED, null, RETAINED])
})

it('warns at any size when the next checkpoint may take the log away', () => {
  expect(codes([seen(10, { walStatus: 'unreserved' }), seen(10, { walStatus: 'unreserved' })])).toEqual([
    RETAINED,
    null,
  ])
})

it('warns at the declared size, and at ten and a hundred times it, where there is no limit', () => {
  const none = { limitBytes: null, safeBytes: null }
  const sizes = [1023, 1024, 5000, 10_240, 102_400, 102_400]
  expect(codes(sizes.map((size) => seen(size, none)))).toEqual([null, RETAINED, null, RETAINED, RETAINED, null])
  expect(codes([seen(300, none)], 300 * MB)).toEqual([RETAINED])
})

it('begins anew when a limit is set or taken away', () => {
  const none = { limitBytes: null, safeBytes: null }
  expect(codes([seen(2000, none), seen(2000, { limitBytes: 3000 * MB })])).toEqual([RETAINED, RETAINED])
})

it('says once that the slot was given up', () => {
  const lost = seen(0, { walStatus: 'lost' })
  const idle = seen(0, { invalidation: 'idle_timeout' })
  expect(codes([lost, lost, seen(0), idle])).toEqual(['slot-given-up', null, null, 'slot-given-up'])
})

const psql: OpenTransaction = { pid: 123, application: 'psql', ageSeconds: 7_300 }

it.each<[string, Partial<Retention>, string]>([
  [
    'nobody reads',
    { active: false, unsentBytes: null },
    'replication slot "s" keeps 33 MB of log, 52 % of the 64 MB after which the server gives it up and changes are lost (31 MB more may be ' +
      'written until then): nobody reads it; start the capture of this source, or raise max_slot_wal_keep_size',
  ],
  ['capture is behind', { unsentBytes: 30 * MB }, 'capture has yet to read 30 MB of it; look whether Kafka takes'],
  ['Kafka is slow', { unsentBytes: 3 * MB }, 'capture has read 30 MB of it that Kafka has not acknowledged yet; look'],
  [
    'an old transaction is open',
    { unconfirmedBytes: MB, oldestTransaction: psql },
    'a transaction of server process 123 (application psql) is open for 2 h and may still need it; end it, if need be with ' +
      'pg_terminate_backend(123), or raise',
  ],
  [
    'a transaction is prepared',
    {
      unconfirmedBytes: MB,
      oldestTransaction: { pid: null, application: 'number 7 of database shop', ageSeconds: 90 },
    },
    'the prepared transaction number 7 of database shop waits for 90 s and may still need it; commit it',
  ],
  [
    'nothing is open',
    { unconfirmedBytes: MB },
    'no transaction is open that needs it; the server should let go of it with its next checkpoint, or',
  ],
  [
    'the role may not see when a transaction began',
    { unconfirmedBytes: MB, oldestTransaction: { ...psql, ageSeconds: null } },
    '(application psql) is open and may still need it',
  ],
  ['it is past the limit', { walStatus: 'unreserved' }, 'changes are lost, which may be at its next checkpoint: '],
])('names the cause when %s', (_, more, text) => {
  const { notice } = judgeRetention('s', seen(33, more), UNTOLD, GB)
  expect(notice).toMatchObject({ level: 'warn', message: expect.stringContaining(text) })
})

it('counts sizes as the settings of the server do', () => {
  expect([0, 1023, 1536, 64 * MB, 100.4 * MB, 50 * GB].map(formatSize)).toEqual([
    '0 bytes',
    '1023 bytes',
    '1.5 kB',
    '64 MB',
    '100 MB',
    '50 GB',
  ])
})
