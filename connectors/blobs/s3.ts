import { createHash } from 'node:crypto'
import { openS3Client, type S3Answer, type S3Options } from './s3-client.ts'
import { blobsOf } from './s3-listing.ts'
import { BLOB_BYTES_MAX, type BlobStore, corrupt, isBlobName, missing, requireClaim, type StoredBlob } from './store.ts'

export type { S3Options } from './s3-client.ts'

/** A blob that was renewed so recently is not written again: collecting looks at blobs that are days old. */
const RENEW_AFTER_MS = 3_600_000
const LIST_MAX = 1_000

/**
 * A blob store in a bucket of Amazon S3, or of anything with its API. Objects are written whole or not at all there, and everyone sees
 * them from then on, so a blob needs neither a temporary name nor a second look.
 */
export function openS3Store(options: S3Options): BlobStore {
  const client = openS3Client(options)
  const nameOf = (sha256: string) => `${options.prefix}${sha256.slice(0, 2)}/${requireName(sha256)}`
  const uriOf = (sha256: string) => `s3://${options.bucket}/${nameOf(sha256)}`

  async function facts(
    sha256: string,
    signal?: AbortSignal,
  ): Promise<(StoredBlob & { readonly nowMs: number }) | undefined> {
    const answer = await client.send({ method: 'HEAD', name: nameOf(sha256) }, signal)
    if (answer.status === 404) return await absent(signal)
    requireStatus(answer, [200])
    const renewedAtMs = timeOf(answer.headers['last-modified'])
    const bytes = Number(answer.headers['content-length'])
    return { sha256, bytes, renewedAtMs, nowMs: timeOf(answer.headers.date) }
  }

  /** A bucket that is gone answers like an object that is: only one of them is the fault of a record. */
  async function absent(signal?: AbortSignal): Promise<undefined> {
    requireStatus(await client.send({ method: 'HEAD', name: '' }, signal), [200])
  }

  function requireStatus(answer: S3Answer, allowed: readonly number[]): void {
    if (!allowed.includes(answer.status)) throw client.refused(answer)
  }

  return {
    uriOf,
    async put(sha256, bytes, chunks, signal) {
      const there = await facts(sha256, signal)
      if (there?.bytes === bytes && there.nowMs - there.renewedAtMs < RENEW_AFTER_MS) return
      // The hash is part of the signature: the store itself refuses a body that arrives otherwise.
      requireStatus(
        await client.send({ method: 'PUT', name: nameOf(sha256), body: { sha256, bytes, chunks } }, signal),
        [200],
      )
    },
    async get(claim, signal) {
      const bytes = requireClaim(claim)
      const uri = uriOf(claim.sha256)
      const answer = await client.send({ method: 'GET', name: nameOf(claim.sha256), bytesMax: bytes }, signal)
      if (answer.status === 404) {
        await absent(signal)
        throw missing(uri)
      }
      requireStatus(answer, [200])
      const length = Number(answer.headers['content-length'] ?? answer.body.length)
      if (length !== bytes || answer.body.length !== bytes) throw corrupt(uri, `has ${length} bytes, not ${bytes}`)
      if (createHash('sha256').update(answer.body).digest('hex') !== claim.sha256)
        throw corrupt(uri, 'has another content than its name says')
      return answer.body
    },
    async *list() {
      for (let after = ''; ; ) {
        const query: Record<string, string> = { 'list-type': '2', 'max-keys': String(LIST_MAX), prefix: options.prefix }
        if (after !== '') query['start-after'] = after
        const answer = await client.send({ method: 'GET', name: '', query, bytesMax: LIST_BYTES_MAX })
        requireStatus(answer, [200])
        const page = blobsOf(answer.body.toString('utf8'))
        for (const { name, bytes, renewedAtMs } of page.objects) {
          const sha256 = name.slice(name.lastIndexOf('/') + 1)
          if (isBlobName(sha256) && name === nameOf(sha256)) yield { sha256, bytes, renewedAtMs }
        }
        const last = page.objects.at(-1)
        if (!page.more || last === undefined) return
        after = last.name
      }
    },
    async remove(sha256, ifNotRenewedSinceMs) {
      const there = await facts(sha256)
      if (there === undefined) return 'absent'
      // Times of the store have whole seconds, cut off.
      if (there.renewedAtMs + 1_000 > ifNotRenewedSinceMs) return 'renewed'
      requireStatus(await client.send({ method: 'DELETE', name: nameOf(sha256) }), [200, 204])
      return 'removed'
    },
    async plan() {
      requireStatus(await client.send({ method: 'HEAD', name: '' }), [200])
      return []
    },
    provision: async () => {},
  }
}

/** A page of a listing: a thousand names with what is said of each. */
const LIST_BYTES_MAX = Math.min(4 * 1024 * 1024, BLOB_BYTES_MAX)

function requireName(sha256: string): string {
  if (!isBlobName(sha256)) throw new TypeError('not the name of a blob')
  return sha256
}

function timeOf(header: string | string[] | undefined): number {
  return Date.parse(String(header))
}
