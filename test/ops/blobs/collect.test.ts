import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openFolderStore } from '../../../connectors/blobs/folder.ts'
import { type CollectOptions, collectBlobs, namesIn } from '../../../ops/blobs/collect.ts'
import { deltaSchema } from '../../../schemas/avro.ts'
import { createDeltaEncoder } from '../../../schemas/codec.ts'
import { blobOf, putWhole } from '../../contract/blob-store-contract.ts'
import { deltaOf, entityOf } from '../../schemas/sample.ts'

const DAY_MS = 86_400_000
const CUTOFF_MS = Date.now() - 14 * DAY_MS

const root = mkdtempSync(join(tmpdir(), 'tributary-collect-'))
const store = openFolderStore(root)
const entity = entityOf('document', { id: 'string', body: 'string', scan: 'bytes' })
const encode = createDeltaEncoder(entity, deltaSchema('shop', entity), 7)

beforeAll(() => store.provision())
afterAll(() => rmSync(root, { recursive: true, force: true }))

type Blob = ReturnType<typeof blobOf>

async function oldBlob(): Promise<Blob> {
  const blob = blobOf(randomBytes(100))
  await putWhole(store, blob)
  const then = new Date(CUTOFF_MS - DAY_MS)
  utimesSync(fileURLToPath(store.uriOf(blob.sha256)), then, then)
  return blob
}

/** A record that refers to blobs, as it lies on a topic. */
function recordOf(...blobs: readonly Blob[]): Buffer {
  const names = ['body', 'scan']
  const claims = blobs.map(({ claim }, index) => [names[index]!, { ...claim, uri: store.uriOf(claim.sha256) }] as const)
  const inline = Object.fromEntries(names.slice(blobs.length).map((name) => [name, null]))
  return encode({ ...deltaOf('document', { id: '1', ...inline }), claims: Object.fromEntries(claims) })
}

const collect = (values: readonly Buffer[], different: Partial<CollectOptions> = {}) =>
  collectBlobs({
    store,
    notRenewedSinceMs: CUTOFF_MS,
    async *values() {
      yield* values
    },
    dryRun: false,
    signal: new AbortController().signal,
    ...different,
  })

const isThere = (blob: Blob) =>
  store.get(blob.claim).then(
    () => true,
    () => false,
  )

test('an old blob that no record refers to goes; one that is referred to, and a young one, stay', async () => {
  const [stray, first, second] = [await oldBlob(), await oldBlob(), await oldBlob()]
  const young = blobOf(randomBytes(100))
  await putWhole(store, young)
  expect(await collect([recordOf(first, second)], { dryRun: true })).toMatchObject({ removed: 1, removedBytes: 100 })
  expect(await isThere(stray)).toBe(true)
  expect(await collect([recordOf(first, second)])).toMatchObject({ removed: 1, referenced: 2, renewed: 0 })
  expect(await Promise.all([stray, first, second, young].map(isThere))).toEqual([false, true, true, true])
})

test('a blob that a source renews after the listing, or after the topics were read, stays', async () => {
  const [early, late] = [await oldBlob(), await oldBlob()]
  const collected = await collect([], {
    // The source renews, and publishes its reference when these readings are over.
    async *values() {
      await putWhole(store, early)
      yield recordOf()
    },
    store: {
      list: store.list,
      async remove(sha256, since) {
        if (sha256 === late.sha256) await putWhole(store, late)
        return await store.remove(sha256, since)
      },
    },
  })
  expect(collected).toMatchObject({ renewed: 2 })
  expect(await Promise.all([early, late].map(isThere))).toEqual([true, true])
})

test('a blob that a source renews while it is being removed is there afterwards, whoever was first', async () => {
  for (let round = 0; round < 200; round++) {
    const blob = await oldBlob()
    await Promise.all([store.remove(blob.sha256, CUTOFF_MS), putWhole(store, blob)])
    expect(await isThere(blob), `round ${round}`).toBe(true)
  }
})

test('candidates beyond a round’s are looked at in the next: nothing is passed over', async () => {
  const blobs = await Promise.all(Array.from({ length: 7 }, oldBlob))
  let readings = 0
  const collected = await collect([], {
    candidatesMax: 3,
    async *values() {
      readings++
      for (const blob of blobs.slice(0, 4)) yield recordOf(blob)
    },
  })
  expect(collected.referenced).toBeGreaterThanOrEqual(4)
  expect(readings).toBeGreaterThan(2)
  expect(await Promise.all(blobs.map(isThere))).toEqual([true, true, true, true, false, false, false])
})

test('the names in a record are found without its schema, also in bytes that nobody can decode', () => {
  const blob = blobOf(Buffer.from('x'))
  const record = recordOf(blob)
  expect(new Set(namesIn(record))).toEqual(new Set([blob.sha256]))
  expect([...namesIn(Buffer.concat([Buffer.from([0xff, 0xfe]), record.subarray(40)]))]).toContain(blob.sha256)
  expect([...namesIn(Buffer.from(`{"claim":"${blob.sha256}0123"}`))]).toEqual([blob.sha256])
  expect([...namesIn(Buffer.from('nothing'))]).toEqual([])
})
