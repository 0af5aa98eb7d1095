import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openFolderStore } from '../../../connectors/blobs/folder.ts'
import { blobOf, codeOf, putWhole, testBlobStore } from '../../contract/blob-store-contract.ts'

const root = mkdtempSync(join(tmpdir(), 'tributary-folder-'))
const path = join(root, 'blobs')
const store = openFolderStore(path)
const fileOf = (sha256: string) => fileURLToPath(store.uriOf(sha256))
const age = (sha256: string, atMs: number) => utimesSync(fileOf(sha256), new Date(atMs), new Date(atMs))
const DAY_MS = 86_400_000

beforeAll(async () => {
  expect(await store.plan()).toHaveLength(1)
  await store.provision()
  expect(await store.plan()).toEqual([])
})

afterAll(() => rmSync(root, { recursive: true, force: true }))

describe('a folder', () => {
  testBlobStore(() => ({ store, age, spoil: (sha256, bytes) => writeFileSync(fileOf(sha256), bytes) }))

  test('a folder that is not there, or an empty one in its place, is away: nothing is missing, and nothing is written to it', async () => {
    const blob = blobOf(randomBytes(100))
    await putWhole(store, blob)
    renameSync(path, `${path}-away`)
    expect(await codeOf(store.get(blob.claim))).toBe('blob-store-unreachable')
    mkdirSync(path)
    expect(await codeOf(store.get(blob.claim))).toBe('blob-store-unreachable')
    expect(await codeOf(putWhole(store, blobOf(randomBytes(100))))).toBe('blob-store-unreachable')
    expect(readdirSync(path)).toEqual([])
    rmSync(path, { recursive: true })
    renameSync(`${path}-away`, path)
    expect((await store.get(blob.claim)).equals(blob.bytes)).toBe(true)
  })

  test('a write that was cut off leaves no blob, and what it left goes after a day', async () => {
    const blob = blobOf(randomBytes(200_000))
    const put = store.put(blob.sha256, blob.bytes.length, function* () {
      yield blob.bytes.subarray(0, 100_000)
      throw new Error('cut off')
    })
    expect(await codeOf(put)).toBe('blob-store-unreachable')
    expect(await codeOf(store.get(blob.claim))).toBe('blob-missing')
    const left = join(path, '.incoming', `${blob.sha256}.left`)
    writeFileSync(left, 'x')
    utimesSync(left, new Date(Date.now() - 2 * DAY_MS), new Date(Date.now() - 2 * DAY_MS))
    for await (const one of store.list()) expect(one.sha256).not.toBe(blob.sha256)
    expect(readdirSync(join(path, '.incoming'))).toEqual([])
  })

  test('a blob whose removal was cut off is found, and stays', async () => {
    const blob = blobOf(randomBytes(100))
    await putWhole(store, blob)
    renameSync(fileOf(blob.sha256), `${fileOf(blob.sha256)}.removing`)
    expect((await store.get(blob.claim)).equals(blob.bytes)).toBe(true)
    const names: string[] = []
    for await (const { sha256 } of store.list()) names.push(sha256)
    expect(names).toContain(blob.sha256)
    expect(await store.remove(blob.sha256, 0)).toBe('renewed')
  })

  test('a blob that stands aside to be removed is written anew by whoever refers to it', async () => {
    const blob = blobOf(randomBytes(100))
    await putWhole(store, blob)
    renameSync(fileOf(blob.sha256), `${fileOf(blob.sha256)}.removing`)
    await putWhole(store, blob)
    rmSync(`${fileOf(blob.sha256)}.removing`)
    expect((await store.get(blob.claim)).equals(blob.bytes)).toBe(true)
  })
})
