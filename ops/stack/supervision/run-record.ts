import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { TributaryError } from '../../../schemas/errors.ts'
import { type DataFolder, logFile } from '../data-folder.ts'
import { SERVICE_NAMES } from '../services.ts'
import { isAlive, type ProcessIdentity } from './process-identity.ts'

const identitySchema = z.object({ pid: z.number().int().positive(), startMark: z.string() })

const recordSchema = z.object({
  supervisor: identitySchema,
  attached: z.boolean(),
  ready: z.boolean(),
  services: z.partialRecord(
    z.enum(SERVICE_NAMES),
    z.object({ port: z.number().int(), process: identitySchema.nullable(), program: z.string() }),
  ),
})

/** Which processes make up the stack of a data folder. Written by its supervisor alone. */
export type RunRecord = z.infer<typeof recordSchema>

/** Replaces a file in one step, so that no reader sees half of it. */
export async function writeWhole(path: string, text: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const partial = `${path}.${process.pid}.partial`
  await writeFile(partial, text, { mode })
  await rename(partial, path)
}

/** The text of a file, or undefined where there is none. */
export async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw cause
  }
}

export async function readRecord(folder: DataFolder): Promise<RunRecord | undefined> {
  const text = await readIfPresent(folder.recordFile)
  if (text === undefined) return undefined
  try {
    return recordSchema.parse(JSON.parse(text))
  } catch {
    // Written in one step, so only a crash of the machine, or an older version, leaves what cannot be read.
    return undefined
  }
}

export async function writeRecord(folder: DataFolder, record: RunRecord): Promise<void> {
  await writeWhole(folder.recordFile, `${JSON.stringify(record, null, 2)}\n`)
}

export async function removeRecord(folder: DataFolder): Promise<void> {
  await rm(folder.recordFile, { force: true })
}

/** The living supervisor that owns the data folder, if there is one. */
export async function lockOwner(folder: DataFolder): Promise<ProcessIdentity | undefined> {
  const text = await readIfPresent(folder.lockFile)
  const owner = text === undefined ? undefined : parseIdentity(text)
  return owner !== undefined && isAlive(owner) ? owner : undefined
}

function parseIdentity(text: string): ProcessIdentity | undefined {
  try {
    return identitySchema.parse(JSON.parse(text))
  } catch {
    // A lock that a crash of the machine left half written belongs to nobody.
    return undefined
  }
}

const LOCK_ATTEMPTS_MAX = 5

/**
 * Makes this process the only owner of the data folder. A lock whose owner is gone is taken over.
 * @throws TributaryError `stack-locked` while another stack runs in it
 */
export async function takeLock(folder: DataFolder, self: ProcessIdentity): Promise<void> {
  const mine = `${folder.lockFile}.${self.pid}`
  await writeFile(mine, JSON.stringify(self))
  try {
    for (let attempt = 0; attempt < LOCK_ATTEMPTS_MAX; attempt++) {
      // A hard link appears with its content or not at all; creating the file first would show it empty.
      if (await linked(mine, folder.lockFile)) return
      const seen = await readIfPresent(folder.lockFile)
      if (seen === undefined) continue
      const owner = parseIdentity(seen)
      if (owner !== undefined && isAlive(owner)) throw locked(folder, owner)
      await discardStaleLock(folder, seen, `${mine}.stale`)
    }
    throw new TributaryError(
      'stack-locked',
      `Other processes are starting a stack in ${folder.root} at the same moment.`,
    )
  } finally {
    await rm(mine, { force: true })
  }
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return false
    throw cause
  }
}

/** Moves a dead owner's lock away. Two that do it at once: the slower may have moved a new, living lock, and puts it back. */
async function discardStaleLock(folder: DataFolder, seen: string, aside: string): Promise<void> {
  try {
    await rename(folder.lockFile, aside)
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return
    throw cause
  }
  if ((await readIfPresent(aside)) !== seen) await linked(aside, folder.lockFile)
  await rm(aside, { force: true })
}

export async function releaseLock(folder: DataFolder): Promise<void> {
  await rm(folder.lockFile, { force: true })
}

function locked(folder: DataFolder, owner: ProcessIdentity): TributaryError {
  return new TributaryError(
    'stack-locked',
    `A local stack already runs in ${folder.root} (process ${owner.pid}). Stop it with \`tributary stack stop\`, ` +
      `or set TRIBUTARY_DATA_DIR to another folder. Its log: ${logFile(folder, 'supervisor')}`,
  )
}
