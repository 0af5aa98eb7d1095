import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import type { BlobStore, StoredBlob } from '../../connectors/blobs/store.ts'
import { TributaryError } from '../../schemas/errors.ts'

const HOUR_MS = 3_600_000
const SLACK_MS = 5_000

export interface StoreUnderTest {
  readonly store: BlobStore
  /** Makes a blob look as if it had been written then. */
  readonly age: (sha256: string, atMs: number) => Promise<void> | void
  /** Puts other bytes under a blob's name. */
  readonly spoil: (sha256: string, bytes: Buffer) => Promise<void> | void
}

export function blobOf(bytes: Buffer) {
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { sha256, bytes, claim: { uri: 'nowhere', sha256, bytes: BigInt(bytes.length) } }
}

export async function putWhole(store: BlobStore, { sha256, bytes }: ReturnType<typeof blobOf>): Promise<void> {
  await store.put(sha256, bytes.length, () => partsOf(bytes))
}

/** In parts that share one buffer, as a source hands them over. */
function* partsOf(bytes: Buffer): Generator<Buffer> {
  const part = Buffer.alloc(100_000)
  for (let at = 0; at < bytes.length; at += part.length)
    yield part.subarray(0, bytes.copy(part, 0, at, at + part.length))
}

export async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof TributaryError)) throw new Error('not refused with an error of ours', { cause: error })
  expect(error.cause).toBeDefined()
  return error.code
}

async function listed(store: BlobStore, sha256: string): Promise<StoredBlob | undefined> {
  for await (const blob of store.list()) if (blob.sha256 === sha256) return blob
  return undefined
}

/** What every store of large values does. */
export function testBlobStore(open: () => StoreUnderTest): void {
  test.each([0, 1, 99_999, 3_000_000])('a blob of %i bytes comes back as it was', async (size) => {
    const { store } = open()
    const blob = blobOf(randomBytes(size))
    await putWhole(store, blob)
    expect((await store.get(blob.claim)).equals(blob.bytes)).toBe(true)
    expect(await listed(store, blob.sha256)).toMatchObject({ bytes: size })
  })

  test('putting a blob again renews it, and it is there once', async () => {
    const { store, age } = open()
    const blob = blobOf(randomBytes(1_000))
    await putWhole(store, blob)
    await age(blob.sha256, Date.now() - 24 * HOUR_MS)
    expect((await listed(store, blob.sha256))!.renewedAtMs).toBeLessThan(Date.now() - 23 * HOUR_MS)
    await putWhole(store, blob)
    expect((await listed(store, blob.sha256))!.renewedAtMs).toBeGreaterThan(Date.now() - HOUR_MS - SLACK_MS)
    const names: string[] = []
    for await (const { sha256 } of store.list()) names.push(sha256)
    expect(names.filter((name) => name === blob.sha256)).toHaveLength(1)
  })

  test('an old blob is removed, one that was renewed since is not, and one that is gone is no error', async () => {
    const { store, age } = open()
    const blob = blobOf(randomBytes(1_000))
    const since = Date.now() - 12 * HOUR_MS
    await putWhole(store, blob)
    await age(blob.sha256, Date.now() - 24 * HOUR_MS)
    await putWhole(store, blob)
    expect(await store.remove(blob.sha256, since)).toBe('renewed')
    expect((await store.get(blob.claim)).equals(blob.bytes)).toBe(true)
    await age(blob.sha256, Date.now() - 24 * HOUR_MS)
    expect(await store.remove(blob.sha256, since)).toBe('removed')
    expect(await store.remove(blob.sha256, since)).toBe('absent')
    expect(await codeOf(store.get(blob.claim))).toBe('blob-missing')
  })

  test('a blob with another content, or another size, is refused', async () => {
    const { store, spoil } = open()
    const blob = blobOf(randomBytes(1_000))
    for (const wrong of [randomBytes(1_000), blob.bytes.subarray(1), Buffer.concat([blob.bytes, blob.bytes])]) {
      await putWhole(store, blob)
      await spoil(blob.sha256, wrong)
      expect(await codeOf(store.get(blob.claim))).toBe('blob-corrupt')
    }
  })

  test('what a record calls a claim never becomes a path', async () => {
    const { store } = open()
    for (const sha256 of ['../../etc/passwd', '', 'A'.repeat(64), `${'a'.repeat(63)}/`, `${'a'.repeat(64)}\0`])
      expect(await codeOf(store.get({ uri: 'file:///etc/passwd', sha256, bytes: 1n }))).toBe('blob-corrupt')
    for (const bytes of [-1n, 2n ** 62n])
      expect(await codeOf(store.get({ uri: '', sha256: 'a'.repeat(64), bytes }))).toBe('blob-corrupt')
  })

  test('fewer bytes than were announced are not a blob', async () => {
    const { store } = open()
    const blob = blobOf(randomBytes(1_000))
    const put = store.put(blob.sha256, 1_000, () => [blob.bytes.subarray(0, 999)])
    expect(await codeOf(put)).toBe('blob-store-unreachable')
    // A store may keep what came, and then refuses to hand it out.
    expect(['blob-missing', 'blob-corrupt']).toContain(await codeOf(store.get(blob.claim)))
  })
}
