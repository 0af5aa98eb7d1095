import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Compares } from '../consumers/simulation/subscriber.ts'
import { DIRECTED } from './directed.ts'
import type { Flaws } from './flaws.ts'
import { inSystem, runSchedule } from './schedule.ts'

/** As many as `npm test` runs of each kind of destination. */
const CAUGHT_WITHIN = 3_000

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

/** What is broken, and the guarantee that is seen to fall. */
const FLAWS: readonly [string, Flaws, Compares, RegExp][] = [
  ['the source is told to forget what was not published', { acknowledgesReceived: true }, 'versions', /^G7/],
  ['a send whose answer was lost counts as done', { lostAnswerIsDone: true }, 'tags', /^G7/],
  ['a send is answered before it is appended', { answersEarly: true }, 'nothing', /^G7/],
  ['a writer that was replaced is not refused', { noProducerFence: true }, 'tags', /^G1/],
  ['two sends are under way at once', { concurrentSends: true }, 'tags', /^G1/],
  ['a version is a position alone', { versionByPositionAlone: true }, 'tags', /^G[17]/],
  ['keys that went away with a lost slot are not looked for', { noSweep: true }, 'versions', /^G[17]/],
  // Such a change is a dead letter: the topic stays behind it (G1), and the letter is left (G5). The letter alone is seen where the change
  // set the row to what it was before.
  ['a missing field is not read', { neverHydrates: true }, 'versions', /^G[15]/],
  ['deletes are not published', { deletesIgnored: true }, 'nothing', /^G7/],
  ['the destination does not compare as it says', { comparisonIgnored: true }, 'versions', /^G3/],
  ['the ledger is written before applying', { recordsFirst: true }, 'nothing', /^G[46]/],
  ['an offset is committed past a hole', { commitsPastHoles: true }, 'tags', /^G6/],
  ['what waits to be tried again counts as finished', { parkedIsFinished: true }, 'nothing', /^G6/],
  ['waiting records become the one that came last', { coalescesByArrival: true }, 'tags', /^G[46]/],
  ['the gate lets older versions in', { letsOlderIn: true }, 'tags', /^G3/],
]

test.each(FLAWS)('random schedules show that %s', { timeout: 300_000 }, async (_flaw, flaws, compares, guarantee) => {
  for (let seed = 1; seed <= CAUGHT_WITHIN; seed++) {
    const [first] = await runSchedule({ seed, compares, flaws })
    if (first === undefined) continue
    expect(first).toMatch(guarantee)
    return
  }
  expect.fail(`none of ${CAUGHT_WITHIN} schedules showed it`)
})

describe.each(DIRECTED)('$title', ({ flaws, happen }) => {
  test('is healed', async () => {
    expect(await inSystem({ seed: 1, compares: 'versions' }, happen)).toEqual([])
  })

  test('would show', async () => {
    expect(await inSystem({ seed: 1, compares: 'versions', flaws }, happen)).not.toEqual([])
  })
})

test('a seed gives the same schedule whatever ran before it', async () => {
  const flaws = { noProducerFence: true }
  const found = async () => {
    for (let seed = 1; seed <= CAUGHT_WITHIN; seed++) {
      const violations = await runSchedule({ seed, compares: 'tags', flaws })
      if (violations.length > 0) return { seed, violations }
    }
    throw new Error('nothing was found')
  }
  const { seed, violations } = await found()
  expect(await runSchedule({ seed, compares: 'tags', flaws })).toEqual(violations)
})
