import { randomBytes } from 'node:crypto'
import http from 'node:http'
import net from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openS3Store } from '../../../connectors/blobs/s3.ts'
import { blobsOf } from '../../../connectors/blobs/s3-listing.ts'
import { blobOf, codeOf, putWhole, testBlobStore } from '../../contract/blob-store-contract.ts'
import { type BlobServer, startBlobServer } from './blob-server.ts'

let server: BlobServer
const open = (different: Partial<BlobServer['options']> = {}) => openS3Store({ ...server.options, ...different })

beforeAll(async () => {
  server = await startBlobServer()
})

afterAll(() => server.close())

describe('a bucket', () => {
  testBlobStore(() => ({
    store: open(),
    age: (sha256, atMs) => server.age(`shop/${sha256.slice(0, 2)}/${sha256}`, atMs),
    spoil: (sha256, bytes) => server.write(`shop/${sha256.slice(0, 2)}/${sha256}`, bytes),
  }))

  // The server that others wrote cannot make a second page under this Node: a cipher that it needs is gone.
  test('its listing goes on over many pages, and knows its own names only', async () => {
    const objects = Array.from({ length: 2_345 }, (_, n) => blobOf(Buffer.from(String(n))).sha256).sort()
    const names = [
      'many/aa/not-a-blob',
      `other/${objects[0]}`,
      ...objects.map((one) => `many/${one.slice(0, 2)}/${one}`),
    ].sort()
    const server = http.createServer((request, response) => {
      const query = new URL(request.url!, 'http://host').searchParams
      const rest = names.filter(
        (name) => name.startsWith(query.get('prefix')!) && name > (query.get('start-after') ?? ''),
      )
      const page = rest.slice(0, Number(query.get('max-keys')))
      const contents = page.map(
        (name) =>
          `<Contents><Key>${name}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><Size>9</Size></Contents>`,
      )
      response.end(`<IsTruncated>${page.length < rest.length}</IsTruncated>${contents.join('')}`)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as net.AddressInfo
    const seen: string[] = []
    const store = open({ endpoint: `http://127.0.0.1:${port}`, prefix: 'many/' })
    for await (const { sha256 } of store.list()) seen.push(sha256)
    expect(seen).toEqual(objects)
    server.closeAllConnections()
    server.close()
  })

  test('a wrong key, and a bucket that is not there, hold the caller up: no record is at fault', async () => {
    const { claim } = blobOf(randomBytes(10))
    for (const wrong of [{ secretAccessKey: 'another' }, { bucket: 'no-such-bucket' }]) {
      expect(await codeOf(open(wrong).get(claim))).toBe('blob-store-unreachable')
      expect(await codeOf(open(wrong).plan())).toBe('blob-store-unreachable')
    }
    const error = await open({ secretAccessKey: 'hunter2' })
      .get(claim)
      .catch((thrown: unknown) => thrown)
    expect(`${error} ${(error as Error).cause}`).not.toContain('hunter2')
  })

  test('a server that is away is unreachable, and one that comes back in time is not', async () => {
    const blob = blobOf(randomBytes(100_000))
    await putWhole(open(), blob)
    await server.stop()
    expect(await codeOf(open().get(blob.claim))).toBe('blob-store-unreachable')
    await server.start()
    expect((await open().get(blob.claim)).equals(blob.bytes)).toBe(true)
  })

  test('an answer that the connection broke in is asked for again', async () => {
    const blob = blobOf(randomBytes(500_000))
    await putWhole(open(), blob)
    let connections = 0
    const { port } = new URL(server.options.endpoint)
    const proxy = net.createServer((client) => {
      const upstream = net.connect(Number(port), '127.0.0.1')
      const breaks = connections++ === 0
      client.pipe(upstream)
      upstream.on('data', (bytes) => {
        if (breaks) client.destroy()
        else client.write(bytes)
      })
      for (const socket of [client, upstream]) socket.on('error', () => {})
      client.on('close', () => upstream.destroy())
      upstream.on('close', () => client.destroy())
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    const { port: proxied } = proxy.address() as net.AddressInfo
    const store = open({ endpoint: `http://127.0.0.1:${proxied}` })
    expect((await store.get(blob.claim)).equals(blob.bytes)).toBe(true)
    expect(connections).toBeGreaterThan(1)
    proxy.close()
  })
})

test('a listing is read whatever order its elements have; what is no object of ours is left to the caller', () => {
  const page = `<ListBucketResult><IsTruncated>true</IsTruncated>
    <Contents><Size>5</Size><LastModified>2026-01-02T03:04:05.000Z</LastModified><Key>a/b</Key></Contents>
    <Contents><Key>c&amp;d</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><Size>6</Size></Contents></ListBucketResult>`
  const at = Date.UTC(2026, 0, 2, 3, 4, 5)
  expect(blobsOf(page)).toEqual({
    more: true,
    objects: [
      { name: 'a/b', bytes: 5, renewedAtMs: at },
      { name: 'c&amp;d', bytes: 6, renewedAtMs: at },
    ],
  })
  expect(blobsOf('<html>')).toEqual({ more: false, objects: [] })
})
