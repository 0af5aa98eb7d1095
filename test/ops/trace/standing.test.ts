import { expect, test } from 'vitest'
import { packVersion } from '../../../consumers/ledger/entry.ts'
import type { StoredEntry } from '../../../consumers/ledger/stored-entry.ts'
import { type Known, type Standing, standingOf } from '../../../ops/trace/standing.ts'
import type { DeadLetterHead } from '../../../schemas/dead-letter.ts'

const version = (position: bigint) => ({ epoch: 1n, position, ordinal: 0 })

function stored(position: bigint, changes: Partial<StoredEntry['entry']> & { inFlight?: boolean } = {}): StoredEntry {
  const { inFlight = false, ...rest } = changes
  const entry = {
    state: 'live' as const,
    uncertain: false,
    uncertainForMs: 0,
    letter: null,
    attempts: 0,
    firstFailedAtMs: 0,
    fingerprints: new Map(),
    tag: null,
    ...rest,
  }
  return { version: packVersion(version(position)), inFlight, lastPatch: null, entry }
}

/** Version 7 was published at offset 20, and the group has come to 15. */
const KNOWN: Known = {
  published: { version: version(7n), offset: 20n },
  committed: 15n,
  stored: stored(6n),
  letter: null,
}
const letter = (state: DeadLetterHead['state']) => ({ state }) as DeadLetterHead

test.each<[string, Partial<Known>, Standing]>([
  ['the ledger has an older version, and the group has not come to it', {}, 'waiting'],
  ['the group has never committed', { committed: null, stored: null }, 'waiting'],
  ['the ledger has it, whatever the offset', { stored: stored(7n) }, 'applied'],
  ['the ledger has a newer one', { stored: stored(8n) }, 'applied'],
  ['its delete was applied', { stored: stored(7n, { state: 'deleted' }) }, 'applied'],
  ['the ledger has it, and a request may be lost', { stored: stored(7n, { uncertain: true }) }, 'uncertain'],
  [
    'the subscriber never had it, and is being sent it',
    { stored: stored(0n, { state: 'none', inFlight: true }) },
    'in flight',
  ],
  ['it failed twice', { stored: stored(6n, { attempts: 2, inFlight: true }) }, 'parked'],
  ['the group is past it, and the ledger has an older one', { committed: 21n }, 'passed over'],
  ['the group is past it, and the ledger has nothing', { committed: 21n, stored: null }, 'passed over'],
  ['it is a dead letter', { letter: letter('dead'), committed: 21n }, 'dead'],
  ['it is a dead letter that is tried again', { letter: letter('retrying') }, 'retrying'],
  ['the topic has none', { published: null }, 'nothing'],
])('%s', (_title, known, standing) => {
  expect(standingOf({ ...KNOWN, ...known })).toBe(standing)
})
