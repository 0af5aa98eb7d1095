import { VERSION_BYTES, type Version, writeVersion } from '../../schemas/version.ts'
import { type Fingerprints, packFingerprints, unpackFingerprints } from '../fingerprint.ts'

/** What the ledger knows of one key at one subscriber, as the gate answers it. */
export interface LedgerEntry {
  /** `none`: nothing was ever applied. */
  readonly state: 'none' | 'live' | 'deleted'
  /** Whether the destination may hold something else than the ledger says; patches are full then. */
  readonly uncertain: boolean
  /** How long a lost request could still take effect, in ms; 0 when none can. */
  readonly uncertainForMs: number
  /** The packed version of the dead letter of this key that waits; null for none. */
  readonly letter: string | null
  /** How often its newest record failed by itself, and when first, ms since 1970; none and 0 when it has not. */
  readonly attempts: number
  readonly firstFailedAtMs: number
  readonly fingerprints: Fingerprints
  /** The destination's own mark of what was last applied (an ETag); null for none. */
  readonly tag: string | null
}

/** For a person to look at: nothing is decided by it. */
export interface LastPatch {
  /** When it was settled, to the second, by the clock of who did. */
  readonly atMs: number
  /** How many fields it had; 0 when the subscriber already was so, and for a delete. */
  readonly fields: number
}

const STATES = { n: 'none', l: 'live', d: 'deleted' } as const

/** The width of the decimal milliseconds in an entry. */
const MS_DIGITS = 14

/** Reads the gate's answer for a key that may go on; see gate.lua for the form. */
export function parseAnswer(answer: string): LedgerEntry {
  const state = STATES[answer[1] as keyof typeof STATES]
  const uncertain = answer[2] === 'u'
  const uncertainForMs = Number(answer.slice(3, 3 + MS_DIGITS))
  const flag = answer[3 + MS_DIGITS]
  const well = flag === '0'
  const failing = well ? NO_FAILURE : answer.slice(4 + MS_DIGITS, 4 + MS_DIGITS + FAILURE_CHARS)
  const letter = failing.slice(0, VERSION_CHARS)
  return {
    state,
    uncertain,
    uncertainForMs,
    // One that was written down before versions were has the lowest.
    letter: flag === '1' ? letter : null,
    attempts: Number(failing.slice(VERSION_CHARS, VERSION_CHARS + ATTEMPTS_DIGITS)),
    firstFailedAtMs: Number(failing.slice(VERSION_CHARS + ATTEMPTS_DIGITS)),
    ...unpackApplied(answer.slice(4 + MS_DIGITS + (well ? 0 : FAILURE_CHARS))),
  }
}

/** The packed version of the dead letter that waits, from the gate's answer for a key that is stale; null for none. */
export function staleLetter(answer: string): string | null {
  return answer.length > VERSION_CHARS ? answer.slice(1, 1 + VERSION_CHARS) : null
}

const VERSION_CHARS = 2 * VERSION_BYTES
const ATTEMPTS_DIGITS = 2
const ATTEMPTS_MAX = 99
const FAILURE_CHARS = VERSION_CHARS + ATTEMPTS_DIGITS + MS_DIGITS
/** What the hash of failing keys has of a key of which it has nothing. */
export const NO_FAILURE = '0'.repeat(FAILURE_CHARS)

/** Failures as the hash holds them behind the version of the dead letter. */
export function packFailures(attempts: number, firstFailedAtMs: number): string {
  const count = String(Math.min(attempts, ATTEMPTS_MAX)).padStart(ATTEMPTS_DIGITS, '0')
  return count + String(firstFailedAtMs).padStart(MS_DIGITS, '0')
}

const scratch = Buffer.alloc(VERSION_BYTES)

/** A version as 40 hexadecimal digits that sort as versions do: how it travels to Redis, whose Lua has no 64-bit integers. */
export function packVersion(version: Version): string {
  writeVersion(version, scratch)
  return scratch.toString('hex')
}

/** Between fingerprints, which are base64, and the last patch: seconds since 1970 in base 36, a dot, and its fields. */
const PATCH_MARK = '@'
const PATCH = /^([0-9a-z]{1,9})\.(\d{1,6})$/
/** Between these and the tag. */
const TAG_MARK = '|'
/** A longer one is not kept: the next patch then asks for it. */
const TAG_CHARACTERS_MAX = 256

/** What was applied, as an entry holds it: fingerprints, the last patch, and the tag where there is one. */
export function packApplied(
  fingerprints: Fingerprints,
  tag: string | null | undefined,
  { atMs, fields }: LastPatch,
): string {
  const seconds = Math.floor(atMs / 1000).toString(36)
  const packed = `${packFingerprints(fingerprints)}${PATCH_MARK}${seconds}.${fields}`
  return tag && tag.length <= TAG_CHARACTERS_MAX ? `${packed}${TAG_MARK}${tag}` : packed
}

function unpackApplied(packed: string): Pick<LedgerEntry, 'fingerprints' | 'tag'> {
  const [rest, tag] = splitAt(packed, TAG_MARK)
  return { fingerprints: unpackFingerprints(splitAt(rest, PATCH_MARK)[0]), tag }
}

/** The last patch, from what was applied as an entry holds it; null where that does not say. */
export function unpackLastPatch(packed: string): LastPatch | null {
  const [, seconds, fields] = PATCH.exec(splitAt(splitAt(packed, TAG_MARK)[0], PATCH_MARK)[1] ?? '') ?? []
  return seconds === undefined ? null : { atMs: Number.parseInt(seconds, 36) * 1000, fields: Number(fields) }
}

function splitAt(text: string, mark: string): [string, string | null] {
  const at = text.indexOf(mark)
  return at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + 1)]
}
