import { expect, onTestFinished, test, vi } from 'vitest'
import { Sweeping } from '../../../consumers/sweep/sweeping.ts'
import { TributaryError } from '../../../schemas/errors.ts'
import { ROUTE, upsertOf } from '../fixtures.ts'
import { startSweep } from './own-sweep.ts'

const WHOLE = { a: '1', b: '1', c: '1' }
const RETENTION_MS = 1_000
const UNLISTABLE: readonly string[] = ['unlistable']

/** A subscriber whose key `gone` the topic does not have, and what watches over it. */
async function watched(before: {
  seenAgoMs?: number
  settledAgoMs?: number
  committed?: bigint | null
  keys?: readonly string[]
}) {
  const started = await startSweep([upsertOf('gone', 1, WHOLE)], [upsertOf('stays', 2, WHOLE)])
  const { notes, ledger, engine, membership, parts } = started
  const { seenAgoMs, settledAgoMs, committed = 10n, keys } = before
  if (seenAgoMs !== undefined) notes.seenAtMs = notes.nowMs - seenAgoMs
  if (settledAgoMs !== undefined) notes.settledAtMs = notes.nowMs - settledAgoMs
  const lag = { ...started.lag, committed }
  const lines: string[] = []
  let rounds = 0
  const sweeping = new Sweeping({
    engine,
    ledger,
    destination: keys === undefined ? {} : { keys: () => listOf(keys) },
    membership,
    history: parts.history,
    routes: [ROUTE],
    groupLag: async () => {
      rounds++
      return [lag]
    },
    deleteRetentionMs: RETENTION_MS,
    log: (level, message) => lines.push(`${level} ${message}`),
    lookEveryMs: 1,
  })
  await sweeping.prepare('warehouse')
  const stop = new AbortController()
  const running = sweeping.run(stop.signal)
  onTestFinished(async () => {
    stop.abort()
    await running
  })
  return { ...started, lag, lines, sweeping, rounds: () => rounds }
}

async function* listOf(keys: readonly string[]) {
  if (keys === UNLISTABLE) throw new TributaryError('destination-unsuitable', 'a transform makes the keys')
  yield keys
}

const until = (condition: () => boolean) => vi.waitUntil(condition, { timeout: 45_000, interval: 5 })

test('who was away for too long is swept, and noted', async () => {
  const { notes, deletes, lines } = await watched({ seenAgoMs: 901 })
  await until(() => notes.touched > 0)
  expect(deletes()).toEqual(['gone'])
  expect(lines).toEqual([
    'info warehouse was away for long: looking for deletes that it has missed',
    'info warehouse: missed deletes are made up for',
  ])
})

test('who has no note was away since it settled last, even when it has settled anew since', async () => {
  const { notes, deletes } = await watched({ settledAgoMs: 901 })
  await until(() => notes.touched > 0)
  expect(deletes()).toEqual(['gone'])
})

test('who is at the end of the topic is noted again and again, so that idling is no absence', async () => {
  const { notes, deletes } = await watched({ seenAgoMs: 500 })
  await until(() => notes.touched > 1)
  expect(deletes()).toEqual([])
})

test('who is behind is not noted, and is swept once that has lasted for too long', async () => {
  const { notes, deletes, rounds } = await watched({ seenAgoMs: 500, committed: 9n })
  await until(() => rounds() > 2)
  expect([notes.touched, deletes()]).toEqual([0, []])
  notes.nowMs += 500
  await until(() => notes.touched > 0)
  expect(deletes()).toEqual(['gone'])
})

test('of a new subscriber nothing is deleted, whatever it has; it is noted from its first moment on', async () => {
  const { notes, deletes } = await watched({ committed: null, keys: ['theirs'] })
  await until(() => notes.touched > 0)
  expect(deletes()).toEqual([])
})

test('a lost ledger: the destination is asked for its keys, or a person is told', async () => {
  const listing = await watched({ keys: ['gone', 'theirs', 'stays'] })
  await until(() => listing.notes.touched > 0)
  expect(listing.deletes()).toEqual(['gone', 'theirs'])
  const silent = await watched({})
  await until(() => silent.notes.touched > 0)
  expect(silent.deletes()).toEqual([])
  expect(silent.lines).toEqual([expect.stringContaining('deletes may have been missed')])
})

test('a destination that cannot list its keys as they are mapped is told of, and delivery goes on', async () => {
  const { lines, deletes } = await watched({ keys: UNLISTABLE })
  await until(() => lines.length > 1)
  expect(lines[1]).toContain('it cannot be told whether deletes were missed')
  expect(deletes()).toEqual([])
})
