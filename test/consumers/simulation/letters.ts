import type { OutgoingRecord } from '../../../connectors/kafka/producer.ts'
import type { Waiting } from '../../../consumers/lanes/lanes.ts'
import { NO_TRIALS } from '../../../consumers/lanes/trials.ts'
import { parseDeadLetter } from '../../../schemas/dead-letter.ts'
import { TributaryError } from '../../../schemas/errors.ts'
import { recordVersion } from '../../../schemas/record-head.ts'

/** A record of the dead-letter topic. */
export interface Letter {
  readonly key: string
  /** Of the record that was given up, as text; null for the end of a letter. */
  readonly version: string | null
  /** When it is tried again by itself, ms since 1970; null when it is dead. */
  readonly nextTryAtMs: number | null
  readonly record: OutgoingRecord
}

/** @param versionAt the version of the record at an offset of the entity's topic, when it was of this key */
export function letterOf(
  record: OutgoingRecord,
  versionAt: (offset: bigint, key: string) => string | undefined,
): Letter {
  const key = record.key.slice(record.key.indexOf('/') + 1)
  if (record.value === null) return { key, version: null, nextTryAtMs: null, record }
  const head = headOf(record)
  const version = versionAt(head.offset!, key)
  if (version === undefined) throw new TributaryError('invariant-broken', 'a dead letter of another key')
  const nextTryAtMs = head.state === 'retrying' ? Date.parse(head.nextTryAt!) : null
  return { key, version, nextTryAtMs, record }
}

/** What consumers/letters/letter-desk.ts makes of a letter. */
export function broughtBack({ record }: Letter, isReplay: boolean, onSettled: () => void): Waiting {
  const head = headOf(record)
  const value = record.value!.length === 0 ? null : record.value
  const isRetry = head.state === 'retrying' && !isReplay
  const failed = { attempts: head.attempts, firstFailedAtMs: Date.parse(head.firstFailedAt!) }
  return {
    key: head.key,
    version: recordVersion(value, buffers(record))!,
    value,
    headers: buffers(record),
    offset: head.offset!,
    tickets: [],
    trials: isRetry ? { ...NO_TRIALS, ...failed } : NO_TRIALS,
    replays: isReplay ? head.replays + 1 : head.replays,
    onSettled: [onSettled],
  }
}

function headOf(record: OutgoingRecord) {
  const head = parseDeadLetter(Buffer.from(record.key), record.value, buffers(record))
  if (head === undefined) throw new TributaryError('invariant-broken', 'a dead letter that cannot be read')
  return head
}

/** Headers as they come back from the topic. */
function buffers({ headers }: OutgoingRecord): Readonly<Record<string, Buffer>> {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, text]) => [name, Buffer.from(text)]))
}
