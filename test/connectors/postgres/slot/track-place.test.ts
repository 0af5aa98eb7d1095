import { expect, test } from 'vitest'
import { OtherHistory, trackPlace } from '../../../../connectors/postgres/slot/track-place.ts'

const COMMIT = { xid: 7, committedAt: 9n }

/** A slot that stands before the last commit captured, which ended at 500; stored is 600. */
function reread(readNow = () => 0n) {
  const held = {
    history: { epoch: 2, system: '77', timeline: 1, start: '100' },
    stored: { values: new Map(), position: { position: 600n, mark: '2/1/500/7/9' } },
    captured: 600n,
    isBefore: true,
  }
  return trackPlace(held, readNow)
}

test('nothing is told before the last captured commit was seen, and no position below the stored one after it', () => {
  const place = reread()
  expect(place.rereadUpTo()).toBe(500n)
  place.cover(400n, { xid: 6, committedAt: 8n })
  expect(place.progress()).toEqual([])
  place.cover(500n, COMMIT)
  expect(place.rereadUpTo()).toBeUndefined()
  expect(place.progress()).toEqual([])
  place.cover(600n, null)
  expect(place.progress()).toEqual([{ kind: 'progress', position: 600n, mark: '2/1/500/7/9' }])
  expect(place.progress()).toEqual([])
})

test.each([
  ['a later commit', 501n, COMMIT],
  ['another transaction', 500n, { ...COMMIT, xid: 8 }],
  ['another time', 500n, { ...COMMIT, committedAt: 10n }],
])('%s in its place is another history', (_what, end, transaction) => {
  expect(() => reread().cover(end, transaction)).toThrow(OtherHistory)
})

test('a mark tells how far rows were read when it is stored, not when it is handed out, and only while that is ahead', () => {
  let read = 0n
  const place = reread(() => read)
  place.cover(500n, COMMIT)
  place.cover(600n, null)
  const [event] = place.progress()
  read = 650n
  expect(event).toMatchObject({ mark: '2/1/500/7/9/read/650' })
  place.cover(700n, null)
  expect(place.progress()).toMatchObject([{ position: 700n, mark: '2/1/500/7/9' }])
})
