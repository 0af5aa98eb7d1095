import { type Version, versionFromBytes } from '../../schemas/version.ts'
import { type LastPatch, type LedgerEntry, NO_FAILURE, parseAnswer, unpackLastPatch } from './entry.ts'

/** An entry as it is stored, read by somebody who does not ask for the key. */
export interface StoredEntry {
  /** What was last applied, packed by `packVersion`. */
  readonly version: string
  /** Whether an owner has let a request of this key through that is not settled yet. */
  readonly inFlight: boolean
  /** null where the entry does not say. */
  readonly lastPatch: LastPatch | null
  /** As the gate would answer it to a new owner. */
  readonly entry: LedgerEntry
}

/** What was last applied; null for nothing, as an entry may only say that something is under way. */
export function appliedVersion({ version, entry }: StoredEntry): Version | null {
  return entry.state === 'none' ? null : versionFromBytes(Buffer.from(version, 'hex'))
}

/** The parts of an entry before what was applied; see gate.lua for the form. */
const FORM = /^([0-9a-f]{40})([nld])(.{8})(.{16})(\d{14})([01f])/s
const NO_TOKEN = '-'.repeat(16)
const CERTAIN = '0'.repeat(14)
const VERSION_DIGITS = 40

/**
 * @param failing what the hash of failing keys has of it; null for nothing
 * @param runId of the Redis process that is asked, 8 characters: what another one wrote may have lost its tail
 * @param nowMs by the clock of Redis
 * @returns null for what is no entry
 */
export function parseStored(text: string, failing: string | null, runId: string, nowMs: number): StoredEntry | null {
  const match = FORM.exec(text)
  if (match === null) return null
  const [head, version, state, wrote, token, till, dead] = match as unknown as [string, ...string[]]
  const inFlight = token !== NO_TOKEN
  const isPlain = !inFlight && till === CERTAIN
  const applied = text.slice(head.length + (isPlain ? 0 : VERSION_DIGITS))
  const isUncertain = inFlight || till !== CERTAIN || wrote !== runId
  const leftMs = Math.max(0, Number(till) - nowMs)
  const failures = dead === '0' ? '' : (failing ?? NO_FAILURE)
  const answer = `g${state}${isUncertain ? 'u' : 'c'}${String(leftMs).padStart(CERTAIN.length, '0')}${dead}${failures}${applied}`
  return { version: version!, inFlight, lastPatch: unpackLastPatch(applied), entry: parseAnswer(answer) }
}

/**
 * The version that a delete has to be newer than, packed by `packVersion`: what was last applied, or that of a newer dead letter that waits; null
 * where the subscriber does not have the object and no letter could bring it back.
 * @param failing what the hash of failing keys has of it; null for nothing
 */
export function liveVersion(text: string, failing: string | null): string | null {
  const [, applied, state, , , , dead] = FORM.exec(text) ?? []
  if (applied === undefined) return null
  const letter = dead === '1' && failing !== null ? failing.slice(0, VERSION_DIGITS) : ''
  if (letter > applied) return letter
  return state === 'l' ? applied : null
}
