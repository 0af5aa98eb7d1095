import { createHash, randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { systemCode } from '../../schemas/errors.ts'
import { markAsOwnMemory } from '../../schemas/large-value.ts'
import { within } from '../within.ts'
import { type BlobStore, corrupt, isBlobName, missing, requireClaim, type StoredBlob, unreachable } from './store.ts'

/** What marks a folder as a blob store. Without it the folder may be the empty place of a disk that is not mounted. */
const MARK = '.tributary-blobs'
const INCOMING = '.incoming'
/** A blob that is being removed stands aside under this ending, so that it can be put back if it was renewed meanwhile. */
const ASIDE = '.removing'
/** What a writer left behind in a crash is removed after this time. */
const LEFTOVER_MS = 24 * 3_600_000
/** A file system that does not answer (a network disk) holds an operation up for no longer, and for so much more with each byte. */
const TIMEOUT_MS = 30_000
const TIMEOUT_BYTES_PER_MS = 1_024

/** A blob store in a folder, which every process that captures or delivers must see (a local disk, or a shared one). */
export function openFolderStore(path: string): BlobStore {
  const root = resolve(path)
  const folderOf = (sha256: string) => join(root, sha256.slice(0, 2), sha256.slice(2, 4))
  const fileOf = (sha256: string) => join(folderOf(sha256), sha256)
  const uriOf = (sha256: string) => pathToFileURL(fileOf(sha256)).href

  /** @throws TributaryError `blob-store-unreachable` for whatever the file system says, unless it is an error of ours */
  async function ask<T>(work: () => Promise<T>, bytes = 0): Promise<T> {
    try {
      return await within(TIMEOUT_MS + bytes / TIMEOUT_BYTES_PER_MS, work())
    } catch (error) {
      if (error instanceof Error && error.name === 'TributaryError') throw error
      throw unreachable(`the blob folder ${root} cannot be used (${codeOf(error)})`, error)
    }
  }

  async function requireMark(): Promise<void> {
    if (await exists(join(root, MARK))) return
    throw unreachable(
      `the blob folder ${root} is not there or was not prepared: mount its disk, or run \`tributary provision\``,
      new Error(`no ${MARK}`),
    )
  }

  return {
    uriOf,
    put: (sha256, bytes, chunks, signal) =>
      ask(async () => {
        const file = fileOf(requireName(sha256))
        if (await renew(file, bytes)) return
        await requireMark()
        const folder = folderOf(sha256)
        await mkdir(join(root, INCOMING), { recursive: true })
        const made = await mkdir(folder, { recursive: true })
        const temporary = join(root, INCOMING, `${sha256}.${randomUUID()}`)
        try {
          await writeWhole(temporary, bytes, chunks(), signal)
          await rename(temporary, file)
        } catch (error) {
          await rm(temporary, { force: true })
          throw error
        }
        // The name is durable too, or a crash of this machine could lose what a record refers to.
        await sync(folder)
        if (made !== undefined) {
          await sync(join(folder, '..'))
          await sync(root)
        }
      }, bytes),
    get: async (claim, signal) => {
      const bytes = requireClaim(claim)
      return await ask(async () => {
        const uri = uriOf(claim.sha256)
        const handle = await openBlob(fileOf(claim.sha256))
        if (handle === undefined) {
          await requireMark()
          throw missing(uri)
        }
        try {
          const { size } = await handle.stat()
          if (size !== bytes) throw corrupt(uri, `has ${size} bytes, not ${bytes}`)
          const content = await readWhole(handle, bytes, signal)
          if (createHash('sha256').update(content).digest('hex') !== claim.sha256)
            throw corrupt(uri, 'has another content than its name says')
          return content
        } finally {
          await handle.close()
        }
      }, bytes)
    },
    list: () => listBlobs(root, requireMark, ask),
    remove: (sha256, ifNotRenewedSinceMs) =>
      ask(async () => {
        const file = fileOf(requireName(sha256))
        const before = await modified(file)
        if (before === undefined) return 'absent'
        if (before >= ifNotRenewedSinceMs) return 'renewed'
        // Out of the way first: from here on a writer finds nothing to renew, and writes the blob anew.
        const aside = file + ASIDE
        if (!(await moved(file, aside))) return 'absent'
        const last = await modified(aside)
        if (last === undefined) return 'absent'
        if (last >= ifNotRenewedSinceMs) {
          await moved(aside, file)
          return 'renewed'
        }
        await rm(aside, { force: true })
        return 'removed'
      }),
    plan: () => ask(async () => ((await exists(join(root, MARK))) ? [] : [`make the blob folder ${root}`])),
    provision: () =>
      ask(async () => {
        await mkdir(root, { recursive: true, mode: 0o700 })
        await writeFile(join(root, MARK), '', { flag: 'a' })
      }),
  }
}

function requireName(sha256: string): string {
  if (!isBlobName(sha256)) throw new TypeError('not the name of a blob')
  return sha256
}

/** Sets the time of a blob anew if it is there whole. */
async function renew(file: string, bytes: number): Promise<boolean> {
  try {
    const now = new Date()
    await utimes(file, now, now)
    return (await stat(file)).size === bytes
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

async function writeWhole(
  path: string,
  bytes: number,
  chunks: Iterable<Buffer>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const handle = await open(path, 'wx', 0o600)
  try {
    let written = 0
    for (const chunk of chunks) {
      signal?.throwIfAborted()
      await handle.writeFile(chunk)
      written += chunk.length
    }
    if (written !== bytes) throw new Error(`${written} bytes came, not ${bytes}`)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function readWhole(handle: FileHandle, bytes: number, signal: AbortSignal | undefined): Promise<Buffer> {
  const content = Buffer.allocUnsafeSlow(bytes)
  markAsOwnMemory(content)
  for (let at = 0; at < bytes; ) {
    signal?.throwIfAborted()
    const { bytesRead } = await handle.read(content, at, bytes - at)
    if (bytesRead === 0) throw new Error('the file became shorter while it was read')
    at += bytesRead
  }
  return content
}

/** A blob that is being removed may be put back: it is looked for on both sides, and once more where it was. */
async function openBlob(file: string): Promise<FileHandle | undefined> {
  for (const path of [file, file + ASIDE, file]) {
    try {
      return await open(path, 'r')
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }
  return undefined
}

async function* listBlobs(
  root: string,
  requireMark: () => Promise<void>,
  ask: <T>(work: () => Promise<T>) => Promise<T>,
): AsyncGenerator<StoredBlob> {
  await ask(requireMark)
  await ask(() => removeLeftovers(join(root, INCOMING)))
  for (const first of await ask(() => entries(root)))
    for (const second of await ask(() => entries(join(root, first))))
      for (const name of await ask(() => entries(join(root, first, second)))) {
        const path = join(root, first, second, name)
        const sha256 = name.endsWith(ASIDE) ? name.slice(0, -ASIDE.length) : name
        if (!isBlobName(sha256) || !sha256.startsWith(first + second)) continue
        // Left by a removal that was cut off: it may have been renewed in its last moment.
        if (name !== sha256) await ask(() => moved(path, path.slice(0, -ASIDE.length)))
        const facts = await ask(() => factsOf(join(root, first, second, sha256)))
        if (facts !== undefined) yield { sha256, bytes: facts.size, renewedAtMs: facts.mtimeMs }
      }
}

/** The names in one folder of the store: folders have two hexadecimal digits, the rest is not listed. */
async function entries(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).filter((name) => /^[0-9a-f]{2}$|^[0-9a-f]{64}/.test(name)).sort()
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return []
    throw error
  }
}

async function removeLeftovers(incoming: string): Promise<void> {
  const names = await readdir(incoming).catch(() => [])
  for (const name of names) {
    const changed = await modified(join(incoming, name))
    if (changed !== undefined && changed < Date.now() - LEFTOVER_MS) await rm(join(incoming, name), { force: true })
  }
}

async function factsOf(path: string) {
  try {
    return await stat(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function modified(path: string): Promise<number | undefined> {
  return (await factsOf(path))?.mtimeMs
}

async function exists(path: string): Promise<boolean> {
  return (await factsOf(path)) !== undefined
}

/** @returns false when there was nothing to move */
async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

async function sync(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function codeOf(error: unknown): string {
  return systemCode(error) ?? (error instanceof Error ? error.message : 'unknown')
}
