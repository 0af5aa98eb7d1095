import { z } from 'zod'
import { KEY_BYTES_MAX } from './key.ts'

/**
 * What travels on a subscriber's commands topic: what people ask of it, and what the owner of a key answers. A command and its answer have
 * the same record key, the command's id, so the answer takes the command's place when the topic is compacted.
 */

/** The most characters of a reason that a person gives. */
export const REASON_CHARACTERS_MAX = 500
/** A key of control characters takes six times its length as JSON; all the rest is small. */
export const MESSAGE_BYTES_MAX = 32 * 1024

/** A place on the dead-letter topic. */
export interface LetterPlace {
  readonly partition: number
  readonly offset: bigint
}

interface LetterCommand {
  /** Random: letters, digits, `-` and `_`, 8 to 64 of them. */
  readonly id: string
  readonly entity: string
  /** What follows `<entity>/` in the letter's record key: also `@<partition>-<offset>`, where the record had no readable key. */
  readonly key: string
  /** Of the entity's topic, as the letter's headers have it: its owner carries the command out. */
  readonly partition: number
  /** The letter that is meant. When it is not the newest of its key any more, the answer is `gone`. */
  readonly letter: LetterPlace
  /** ISO 8601, UTC. */
  readonly at: string
}

export interface ReplayCommand extends LetterCommand {
  readonly kind: 'replay'
}

export interface DiscardCommand extends LetterCommand {
  readonly kind: 'discard'
  /** Why, by a person: one line of at most {@link REASON_CHARACTERS_MAX} characters. */
  readonly reason: string
}

/** Send a key, or all keys of a partition, in full again. One command a partition. */
export interface ResyncCommand {
  readonly kind: 'resync'
  readonly id: string
  readonly entity: string
  readonly partition: number
  /** null for every key of the partition. */
  readonly key: string | null
  readonly at: string
}

export type SubscriberCommand = ReplayCommand | DiscardCommand | ResyncCommand

/**
 * What became of a command.
 * - `applied`: the subscriber has what the letter holds, or newer · `discarded`: the letter is ended
 * - `gone`: the letter was not the newest of its key any more · `resynced`: sent and applied
 * - `failed`: not, for the reason in `code`; the letter stays
 */
export const COMMAND_RESULTS = ['applied', 'gone', 'failed', 'discarded', 'resynced'] as const
export type CommandResult = (typeof COMMAND_RESULTS)[number]

export interface CommandDone {
  readonly kind: 'done'
  /** The command's. */
  readonly id: string
  readonly of: SubscriberCommand['kind']
  readonly result: CommandResult
  /** Why it failed; null otherwise. */
  readonly code: string | null
  /** How many keys it was about. */
  readonly records: number
  readonly at: string
}

/** How far a resync is. Its record key is `<id>/progress`, so that it never takes the command's place. */
export interface CommandProgress {
  readonly kind: 'progress'
  readonly id: string
  readonly done: number
  readonly of: number
}

export type CommandAnswer = CommandDone | CommandProgress

/** A record that is neither; `reason` holds nothing of it. */
export interface UnreadableMessage {
  readonly kind: 'unreadable'
  readonly reason: string
}

const id = z.string().regex(/^[A-Za-z0-9_-]{8,64}$/)
const entity = z.string().min(1).max(200)
const key = z.string().refine((text) => Buffer.byteLength(text) <= KEY_BYTES_MAX)
const number = z.int().min(0)
const at = z.iso.datetime()
const offset = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform(BigInt)
const letterCommand = { id, entity, key, partition: number, letter: z.strictObject({ partition: number, offset }), at }
const reason = z
  .string()
  .min(1)
  .max(REASON_CHARACTERS_MAX)
  .regex(/^\P{Cc}*$/u)
const code = z
  .string()
  .min(1)
  .max(200)
  .regex(/^\P{Cc}*$/u)

const MESSAGE = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('replay'), ...letterCommand }),
  z.strictObject({ kind: z.literal('discard'), ...letterCommand, reason }),
  z.strictObject({ kind: z.literal('resync'), id, entity, partition: number, key: key.nullable(), at }),
  z.strictObject({
    kind: z.literal('done'),
    id,
    of: z.enum(['replay', 'discard', 'resync']),
    result: z.enum(COMMAND_RESULTS),
    code: code.nullable().default(null),
    records: number,
    at,
  }),
  z.strictObject({ kind: z.literal('progress'), id, done: number, of: number }),
])

/** The key and the value of a message's record. */
export function formatMessage(message: SubscriberCommand | CommandAnswer): { key: string; value: Buffer } {
  const json = JSON.stringify(message, (_, value) => (typeof value === 'bigint' ? String(value) : value))
  return { key: recordKeyOf(message), value: Buffer.from(json) }
}

/**
 * Reads a record of a commands topic. Throws nothing, whatever it holds.
 * @returns null for a record without a value, which says nothing
 */
export function parseMessage(
  recordKey: Buffer | null,
  value: Buffer | null,
): SubscriberCommand | CommandAnswer | UnreadableMessage | null {
  if (value === null) return null
  if (value.length > MESSAGE_BYTES_MAX) return unreadable(`it is larger than ${MESSAGE_BYTES_MAX} bytes`)
  let json: unknown
  try {
    json = JSON.parse(UTF8.decode(value))
  } catch {
    // What JSON.parse says quotes the text.
    return unreadable('it is not JSON')
  }
  const parsed = MESSAGE.safeParse(json)
  if (!parsed.success) {
    const places = parsed.error.issues.map(({ path }) => path.join('.') || 'the object')
    return unreadable(`it is ill-formed (${[...new Set(places)].join(', ')})`)
  }
  if (recordKey?.toString() !== recordKeyOf(parsed.data)) return unreadable('its record has the key of another command')
  return parsed.data
}

/** A person's words as a command takes them: on one line. undefined when there are none, or too many. */
export function reasonText(text: string): string | undefined {
  const line = text.replace(/[\p{Cc}\s]+/gu, ' ').trim()
  return reason.safeParse(line).success ? line : undefined
}

const UTF8 = new TextDecoder('utf-8', { fatal: true })

function recordKeyOf({ kind, id }: { readonly kind: string; readonly id: string }): string {
  return kind === 'progress' ? `${id}/progress` : id
}

function unreadable(why: string): UnreadableMessage {
  return { kind: 'unreadable', reason: why }
}
