import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { BlobStore } from '../../connectors/blobs/store.ts'
import { corrupt, missing, unreachable } from '../../connectors/blobs/store.ts'
import { ClaimFetcher, FETCHED_BYTES_MAX, runsOf } from '../../consumers/fetch-claims.ts'
import type { Claim, Delta } from '../../schemas/delta.ts'
import { blobOf } from '../contract/blob-store-contract.ts'
import { upsertOf } from './fixtures.ts'
import { startEngine } from './own-engine.ts'

const BIG = blobOf(Buffer.from(`ä${'x'.repeat(999)}`))
const OTHER = blobOf(Buffer.from('another value'))

/** A store in memory that counts what is fetched, and can be away. */
function memoryStore(...blobs: readonly ReturnType<typeof blobOf>[]) {
  const state = {
    gets: [] as string[],
    away: false,
    spoilt: false,
    underWay: 0,
    mostUnderWay: 0,
    gate: Promise.resolve(),
  }
  const refuse = () => {
    throw new Error('not asked for')
  }
  const store: BlobStore = {
    uriOf: (sha256) => `memory:${sha256}`,
    put: refuse,
    list: refuse,
    remove: refuse,
    plan: refuse,
    provision: refuse,
    async get({ sha256, bytes }) {
      state.gets.push(sha256)
      if (state.away) throw unreachable('the store is away', new Error('away'))
      if (state.spoilt) throw corrupt(`memory:${sha256}`, 'is not whole')
      state.underWay += Number(bytes)
      state.mostUnderWay = Math.max(state.mostUnderWay, state.underWay)
      await state.gate
      state.underWay -= Number(bytes)
      const found = blobs.find((blob) => blob.sha256 === sha256)
      if (found === undefined) throw missing(`memory:${sha256}`)
      return found.bytes
    },
  }
  return { store, state }
}

const claiming = (
  key: string,
  position: number,
  claims: Readonly<Record<string, Claim>>,
  inline: Record<string, string> = {},
): Delta => ({
  ...upsertOf(key, position, { a: 'a', ...inline }),
  claims,
})

describe('a claimed field', () => {
  test('is fetched for a patch that has it, and arrives as a value of its type beside the others', async () => {
    const { store, state } = memoryStore(BIG)
    const { engine, sent, ingest, until } = parts(store)
    ingest(claiming('1', 10, { b: BIG.claim }, { c: 'c' }))
    await until(() => engine.committable().length === 1, 'it is applied')
    expect(sent.flat()).toMatchObject([{ full: true, fields: { to_a: 'a', to_b: BIG.bytes.toString(), to_c: 'c' } }])
    expect(state.gets).toEqual([BIG.sha256])
  })

  test('is not fetched for a patch that does not touch it: its fingerprint comes from the hash', async () => {
    const { store, state } = memoryStore(BIG, OTHER)
    const { sent, ingest, until } = parts(store)
    ingest(claiming('1', 10, { b: BIG.claim }, { c: 'c' }))
    await until(() => sent.length === 1, 'the first')
    ingest(claiming('1', 20, { b: { ...BIG.claim, uri: 'moved' } }, { c: 'changed' }))
    await until(() => sent.length === 2, 'the second')
    expect(sent[1]).toMatchObject([{ full: false, fields: { to_c: 'changed' } }])
    expect(state.gets).toHaveLength(1)
    ingest(claiming('1', 30, { b: OTHER.claim }, { c: 'changed' }))
    await until(() => sent.length === 3, 'the third')
    expect(sent[2]).toMatchObject([{ full: false, fields: { to_b: 'another value' } }])
    expect(state.gets).toEqual([BIG.sha256, OTHER.sha256])
  })

  test('that becomes small is sent as it is then', async () => {
    const { store, state } = memoryStore(BIG)
    const { sent, ingest, until } = parts(store)
    ingest(claiming('1', 10, { b: BIG.claim }, { c: 'c' }))
    await until(() => sent.length === 1, 'the first')
    ingest(claiming('1', 20, {}, { b: 'small', c: 'c' }))
    await until(() => sent.length === 2, 'the second')
    expect(sent[1]).toMatchObject([{ fields: { to_b: 'small' } }])
    expect(state.gets).toHaveLength(1)
  })
})

describe('while the store is away', () => {
  test('a patch waits without a dead letter, those that need nothing of it go on, and it is sent when the store is back', async () => {
    const { store, state } = memoryStore(BIG)
    const { engine, sent, letters, ingest, until } = parts(store)
    state.away = true
    ingest(claiming('1', 10, { b: BIG.claim }, { c: 'c' }), claiming('2', 11, {}, { b: 'b', c: 'c' }))
    await until(() => state.gets.length >= 2, 'it is tried again')
    expect(sent.flat().map(({ key }) => key)).toEqual(['2'])
    state.away = false
    await until(() => sent.flat().some(({ key }) => key === '1'), 'it is sent')
    await until(() => Number(engine.committable()[0]?.next) === 2, 'both are finished')
    expect(letters).toEqual([])
  })

  test('and so it is where no store is declared: nothing is sent without the field', async () => {
    const { sent, letters, ingest, until, log } = parts(undefined)
    ingest(claiming('1', 10, { b: BIG.claim }, { c: 'c' }))
    await until(() => log.length >= 2, 'it is tried again')
    expect([sent, letters]).toEqual([[], []])
  })
})

test.each([
  ['missing', 'blob-missing'],
  ['spoilt', 'blob-corrupt'],
])(
  'a blob that is %s makes a dead letter with the reason, and the next change of the key heals it',
  async (how, code) => {
    const { store, state } = memoryStore(OTHER)
    state.spoilt = how === 'spoilt'
    const { sent, letters, ingest, until } = parts(store)
    ingest(claiming('1', 10, { b: BIG.claim }, { c: 'c' }))
    await until(() => letters.length === 1, 'the dead letter')
    expect(letters[0]!.headers['tributary.code']).toBe(code)
    expect(letters[0]!.value!.toString('latin1')).toContain(BIG.sha256)
    state.spoilt = false
    ingest(claiming('1', 20, { b: OTHER.claim }, { c: 'c' }))
    await until(() => letters.length === 2, 'its end')
    expect(sent.flat()).toMatchObject([{ full: true, fields: { to_a: 'a', to_b: 'another value', to_c: 'c' } }])
    expect(letters[1]!.value).toBeNull()
  },
)

describe('memory', () => {
  test('patches are applied in runs that fetch no more than the bound, a larger one alone', () => {
    const half = FETCHED_BYTES_MAX / 2
    const runs = runsOf([0, half, 0, half, 1, 3 * half, 1], (bytes) => bytes)
    expect(runs.map(({ run }) => run)).toEqual([[0, 0], [half, half], [1], [3 * half], [1]])
    expect(runsOf([], () => 1)).toEqual([])
  })

  test('batches that fetch side by side share the bound', async () => {
    const fetcher = new ClaimFetcher(null)
    let held = 0
    let most = 0
    const sizes = Array.from({ length: 40 }, (_, n) =>
      n % 9 === 0 ? 2 * FETCHED_BYTES_MAX : Math.floor(FETCHED_BYTES_MAX / 3),
    )
    await Promise.all(
      sizes.map((bytes) =>
        fetcher.holding(bytes, async () => {
          held += bytes
          most = Math.max(most, held)
          await new Promise((resolve) => setImmediate(resolve))
          held -= bytes
        }),
      ),
    )
    expect(most).toBe(2 * FETCHED_BYTES_MAX)
    expect(await fetcher.holding(randomBytes(1).length, async () => 'free again')).toBe('free again')
  })
})

function parts(blobs: BlobStore | undefined) {
  const log: string[] = []
  const started = startEngine({ ...(blobs && { blobs }), log: (_level, message) => log.push(message) })
  return { ...started, log, ingest: started.ingest, until: started.until }
}
