import { expect, test } from 'vitest'
import { parseFork } from '../../../../connectors/postgres/slot/acquire.ts'
import {
  capturedUpTo,
  compareToMark,
  type Evidence,
  formatMark,
  parseHistory,
  parseMark,
  whyBeyondFork,
  whyLost,
} from '../../../../connectors/postgres/slot/history.ts'
import type { StoredState } from '../../../../connectors/source.ts'

const PLACE = { system: '77', timeline: 1, end: 1000n, database: 'shop' }
const SLOT = {
  plugin: 'pgoutput',
  slot_type: 'logical',
  database: 'shop',
  temporary: false,
  active: true,
  active_pid: 1,
  confirmed_flush_lsn: 900n,
  wal_status: 'reserved',
}
const HISTORY = { epoch: 3, system: '77', timeline: 1, start: '100' }
const stored = (position: bigint | null, values: Record<string, unknown> = {}): StoredState => ({
  values: new Map(Object.entries(values)),
  position: position === null ? null : { position, mark: null },
})
const evidence = (more: Partial<Evidence> = {}): Evidence => ({
  slot: 's',
  facts: SLOT,
  place: PLACE,
  history: HISTORY,
  stored: stored(900n),
  fork: undefined,
  ...more,
})

test('a slot at or before what was captured is gone on with', () => {
  expect(whyLost(evidence())).toBeUndefined()
  expect(whyLost(evidence({ facts: { ...SLOT, confirmed_flush_lsn: 400n } }))).toBeUndefined()
  expect(whyLost(evidence({ facts: { ...SLOT, wal_status: 'unreserved' } }))).toBeUndefined()
  // Before the first position is stored, the slot's own beginning is what was captured.
  expect(whyLost(evidence({ stored: stored(null), facts: { ...SLOT, confirmed_flush_lsn: 100n } }))).toBeUndefined()
})

test.each<[RegExp, Partial<Evidence>]>([
  [/does not exist/, { facts: undefined }],
  [/wal_status lost/, { facts: { ...SLOT, wal_status: 'lost' } }],
  [/idle_timeout/, { facts: { ...SLOT, invalidation_reason: 'idle_timeout' } }],
  [/stands at 0\/385, beyond 0\/384/, { facts: { ...SLOT, confirmed_flush_lsn: 901n } }],
  [/stands at 0\/65, beyond 0\/64/, { stored: stored(null), facts: { ...SLOT, confirmed_flush_lsn: 101n } }],
  [/another database cluster/, { place: { ...PLACE, system: '78' } }],
  [/set back in time/, { place: { ...PLACE, end: 899n } }],
  [/does not come from timeline 1/, { place: { ...PLACE, timeline: 2 }, fork: null }],
  [
    /left timeline 1 at 0\/383/,
    {
      place: { ...PLACE, timeline: 2 },
      fork: 899n,
      stored: { values: new Map(), position: { position: 900n, mark: '3/1/900/7/9' } },
    },
  ],
  [/a person asked/, { stored: stored(900n, { recover: { epoch: 3 } }) }],
])('a history that cannot be continued is told: %s', (why, more) => {
  expect(whyLost(evidence(more))).toMatch(why)
})

test('a new timeline is gone on with when nothing beyond its beginning was published', () => {
  const place = { ...PLACE, timeline: 2 }
  expect(whyLost(evidence({ place, fork: 900n }))).toBeUndefined()
  expect(whyBeyondFork(place, 950n, 949n)).toBeUndefined()
  expect(whyBeyondFork(place, 950n, 950n)).toMatch(/timeline 2, which began at 0\/3B6/)
})

test('a recovery asked for an epoch that has passed asks for nothing', () => {
  expect(whyLost(evidence({ stored: stored(900n, { recover: { epoch: 2 } }) }))).toBeUndefined()
})

test('the history of a timeline names where each one was left', () => {
  const content = '1\t0/3000060\tno recovery target specified\n\n2\t0/40000A0\tno recovery target specified\n'
  expect(parseFork(content, 1)).toBe(0x3000060n)
  expect(parseFork(content, 2)).toBe(0x40000a0n)
  expect(parseFork(content, 3)).toBeNull()
})

test('a mark names its epoch, its timeline and one commit', () => {
  const commit = { end: 500n, xid: 42, committedAt: 9n }
  for (const mark of [
    { epoch: 3, timeline: 2, commit },
    { epoch: 3, timeline: 2, commit: undefined },
    { epoch: 3, timeline: 2, commit, readUpTo: 600n },
    { epoch: 3, timeline: 2, commit: undefined, readUpTo: 600n },
  ])
    expect(parseMark(formatMark(mark))).toEqual(mark)
  expect(parseMark(null)).toBeUndefined()
  expect(compareToMark(commit, { ...commit, end: 499n, xid: 7 })).toBe('before')
  expect(compareToMark(commit, commit)).toBe('same')
  expect(compareToMark(commit, { ...commit, xid: 43 })).toBe('other')
  expect(compareToMark(commit, { ...commit, end: 501n })).toBe('other')
  expect(compareToMark(commit, { ...commit, committedAt: 10n })).toBe('other')
})

test('a position of another epoch or timeline says nothing of this one', () => {
  const at = (mark: string) => ({ values: new Map(), position: { position: 950n, mark } })
  expect(capturedUpTo(HISTORY, at('3/1'))).toBe(950n)
  expect(capturedUpTo(HISTORY, at('2/1/950/7/9'))).toBe(100n)
  expect(capturedUpTo(HISTORY, at('3/2'))).toBe(100n)
  // Restored from an older copy, then the slot was made anew: below the position that was stored before all that.
  expect(whyLost(evidence({ stored: at('2/1/950/7/9') }))).toMatch(/stands at 0\/384, beyond 0\/64/)
})

test('log beyond the fork that held nothing of ours is no loss, and its positions are not counted', () => {
  const place = { ...PLACE, timeline: 2, end: 940n }
  const at = (mark: string) => ({ values: new Map(), position: { position: 950n, mark } })
  expect(whyLost(evidence({ place, fork: 930n, stored: at('3/1/930/7/9') }))).toBeUndefined()
  expect(capturedUpTo(HISTORY, at('3/1/930/7/9'), 930n)).toBe(930n)
  expect(whyLost(evidence({ place, fork: 930n, stored: at('3/1/931/7/9') }))).toMatch(
    /lost changes that were published/,
  )
  expect(whyLost(evidence({ place, facts: undefined }))).toMatch(/failover to timeline 2 did not bring it along/)
})

test('a stored history of another form is not taken for the first start', () => {
  expect(parseHistory(stored(null))).toBeNull()
  expect(parseHistory(stored(null, { history: HISTORY }))).toEqual(HISTORY)
  expect(() => parseHistory(stored(null, { history: { epoch: 0 } }))).toThrow(
    expect.objectContaining({ code: 'position-corrupt' }),
  )
})

test('a failover, or a set back, below where rows were read to complete changes is a loss', () => {
  const at = (mark: string) => ({ values: new Map(), position: { position: 950n, mark } })
  const moved = { place: { ...PLACE, timeline: 2 }, fork: 960n }
  expect(whyLost(evidence({ ...moved, stored: at('3/1/930/7/9/read/960') }))).toBeUndefined()
  expect(whyLost(evidence({ ...moved, stored: at('3/1/930/7/9/read/961') }))).toMatch(/rows were read to complete/)
  expect(whyLost(evidence({ ...moved, stored: at('2/1/930/7/9/read/961') }))).not.toMatch(/rows were read/)
  expect(whyLost(evidence({ stored: at('3/1/930/7/9/read/1001') }))).toMatch(/it was set back in time/)
})
