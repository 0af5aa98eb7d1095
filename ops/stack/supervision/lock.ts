import { createHash, randomUUID } from 'node:crypto'
import { link, rename, rm, writeFile } from 'node:fs/promises'
import { systemCode, TributaryError } from '../../../schemas/errors.ts'
import { type DataFolder, logFile } from '../data-folder.ts'
import { identitySchema, isAlive, type ProcessIdentity } from './process-identity.ts'
import { readIfPresent } from './run-record.ts'

/** The living supervisor that owns the data folder, if there is one. */
export async function lockOwner(folder: DataFolder): Promise<ProcessIdentity | undefined> {
  const text = await readIfPresent(folder.lockFile)
  return text === undefined ? undefined : livingOwner(text)
}

/** The living process that wrote this. A lock that a crash of the machine left half written belongs to nobody. */
function livingOwner(text: string): ProcessIdentity | undefined {
  const owner = parseIdentity(text)
  return owner !== undefined && isAlive(owner) ? owner : undefined
}

function parseIdentity(text: string): ProcessIdentity | undefined {
  try {
    return identitySchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** What sends a contender back to the start happens at most twice while nobody gives the lock up. */
const ATTEMPTS_MAX = 5
/** Processes that may have died, one after the other, while they took over one and the same stale lock. */
const CLAIMS_MAX = 32

/**
 * Makes this process the only owner of the data folder. The lock of an owner that is gone is taken over, by one that holds the exclusive
 * claim on exactly that stale lock: without it, a slow contender would move away the living lock that a faster one has put there meanwhile.
 * @throws TributaryError `stack-locked` while another stack runs in it, or starts in it at this moment
 */
export async function takeLock(folder: DataFolder, self: ProcessIdentity): Promise<void> {
  // A name that was never there before: a process that crashed may have left a link to the lock under any other.
  const mine = `${folder.lockFile}.${self.pid}.${randomUUID()}`
  await writeFile(mine, JSON.stringify(self), { flag: 'wx' })
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      // A hard link appears with its content or not at all; creating the file first would show it empty.
      if (await linked(mine, folder.lockFile)) return
      const stale = await readIfPresent(folder.lockFile)
      if (stale === undefined) continue
      const owner = livingOwner(stale)
      if (owner !== undefined) throw locked(folder, owner)
      if (await takenOver(folder, mine, stale)) return
    }
    throw startingElsewhere(folder)
  } finally {
    await rm(mine, { force: true })
  }
}

/**
 * Replaces the stale lock in one step. Identities are never used twice, so what was replaced once does not come again.
 * @returns false when the lock is not that one any more
 */
async function takenOver(folder: DataFolder, mine: string, stale: string): Promise<boolean> {
  const claim = await claimed(folder, mine, stale)
  if (claim === undefined) return false
  try {
    if ((await readIfPresent(folder.lockFile)) !== stale) return false
    await rename(mine, folder.lockFile)
    for (const path of claim.passed) await rm(path, { force: true })
    return true
  } finally {
    await rm(claim.own, { force: true })
  }
}

interface Claim {
  readonly own: string
  /** Those of processes that died while they held them. */
  readonly passed: readonly string[]
}

/**
 * Claims the stale lock; where one that claimed it has died, claims what that one left, and so on.
 * Nobody but its maker removes the claim of a living process, and those of dead ones only whoever replaced the lock.
 * @returns undefined when one was taken back meanwhile
 * @throws TributaryError `stack-locked` when a living process claims it
 */
async function claimed(folder: DataFolder, mine: string, stale: string): Promise<Claim | undefined> {
  const left = [stale]
  const passed: string[] = []
  while (passed.length < CLAIMS_MAX) {
    // Of everything that was left, as a crash of the machine may leave the same nothing in more than one file.
    const name = createHash('sha256').update(JSON.stringify(left)).digest('hex').slice(0, 16)
    const path = `${folder.lockFile}.${name}`
    if (await linked(mine, path)) return { own: path, passed }
    const other = await readIfPresent(path)
    if (other === undefined) return undefined
    const claimant = livingOwner(other)
    if (claimant !== undefined) throw startingElsewhere(folder, claimant)
    passed.push(path)
    left.push(other)
  }
  throw startingElsewhere(folder)
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (cause) {
    if (systemCode(cause) === 'EEXIST') return false
    throw cause
  }
}

/** By the owner alone. */
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

function startingElsewhere(folder: DataFolder, claimant?: ProcessIdentity): TributaryError {
  const who = claimant === undefined ? 'Other processes are' : `Another process (${claimant.pid}) is`
  return new TributaryError(
    'stack-locked',
    `${who} starting a stack in ${folder.root} at the same moment. Look with \`tributary stack status\`, then try again.`,
  )
}
