import type { IncomingRecord } from '../../connectors/kafka/consumer.ts'
import { KEYS_AT_ONCE, KeyPlaces } from '../../connectors/kafka/keys/key-places.ts'
import { lengthOf, type OffsetRange, type PartitionHistory } from '../../connectors/kafka/partition-history.ts'
import type { Assignment } from '../assignment.ts'
import { readHead } from '../decode.ts'
import type { Engine } from '../engine.ts'
import { ownBytes } from '../lanes/own-bytes.ts'
import { NO_TRIALS } from '../lanes/trials.ts'
import { Offers } from './offers.ts'

export interface ResyncParts {
  readonly engine: Pick<Engine, 'offer' | 'hasRoom' | 'changed'>
  readonly history: PartitionHistory
  /** Bounds the memory, at 22 bytes a key. Default {@link KEYS_AT_ONCE}. */
  readonly keysAtOnce?: number
}

type OnProgress = (done: number, of: number) => void

/** The ledger is not to be believed: the gate lets an equal version through, and the patch has every mapped field. */
const UNCERTAIN = { ...NO_TRIALS, uncertain: true }

/**
 * Sends the newest record of every key of a partition once more, in full, whatever the ledger says was applied. Which record is the newest is
 * known only at the end, so the partition is read twice. A key that changed meanwhile is sent as it is by then.
 * @param key only this one; null for all
 * @param onProgress called often, both in offsets read; what still waits to be sent counts as not read
 * @returns how many keys were settled (applied, overtaken by a newer version, or given up to the dead letters); fewer than there are when
 * the partition is taken away, which ends it at once
 * @throws TributaryError `topic-missing`, `kafka-unreachable`; the signal's reason
 */
export async function resyncPartition(
  parts: ResyncParts,
  assignment: Assignment,
  key: string | null,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<number> {
  const { engine, history } = parts
  const range = await history.range(assignment.topic, assignment.partition)
  if (range === null) return 0
  const send = key === null ? sendAll : sendOne.bind(null, Buffer.from(key))
  const offers = new Offers(engine, assignment, signal)
  await send(parts, assignment, range, offers, onProgress, signal)
  const { applied, stale, 'given-up': givenUp } = offers.settled
  if (stale > 0 && !offers.isOver) {
    // Its key changed while we read, perhaps before the ledger was told that it is uncertain: what came since is sent in full too, and what
    // comes later is full by itself. Not counted, as these are the same keys.
    const now = await history.range(assignment.topic, assignment.partition)
    const since = now === null ? null : { next: range.end, end: now.end }
    if (since !== null && since.end > since.next)
      await send(parts, assignment, since, new Offers(engine, assignment, signal), () => {}, signal)
  }
  return applied + stale + givenUp
}

type Send = (
  parts: ResyncParts,
  assignment: Assignment,
  range: OffsetRange,
  offers: Offers,
  onProgress: OnProgress,
  signal: AbortSignal,
) => Promise<void>

const sendAll: Send = async ({ history, keysAtOnce = KEYS_AT_ONCE }, assignment, range, offers, onProgress, signal) => {
  const { topic, partition } = assignment
  const length = lengthOf(range)
  const of = 2 * length
  const places = new KeyPlaces(Math.min(keysAtOnce, length))
  let read = 0
  const tell = () => onProgress(Math.max(0, Math.min(of, Math.round(read)) - offers.outstanding), of)
  while (places.next()) {
    for await (const { records, done } of history.read(topic, partition, range, signal)) {
      for (const record of records) places.note(record)
      read = of * places.done + places.share * done
      tell()
      if (offers.isOver) return
    }
    for await (const { records, done } of history.read(topic, partition, range, signal)) {
      for (const record of records) if (places.isNewest(record) && !(await offer(offers, record))) return
      read = of * places.done + places.share * (length + done)
      tell()
    }
  }
  await offers.finish(tell)
  tell()
}

async function sendOne(key: Buffer, ...[{ history }, assignment, range, offers, onProgress, signal]: Parameters<Send>) {
  const { topic, partition } = assignment
  const of = lengthOf(range)
  let newest: IncomingRecord | null = null
  for await (const { records, done } of history.read(topic, partition, range, signal)) {
    // Its bytes alone are kept, not the whole fetch.
    for (const record of records) if (record.key?.equals(key)) newest = { ...record, ...ownBytes(record) }
    onProgress(Math.max(0, done - 1), of)
    if (offers.isOver) return
  }
  if (newest !== null) await offer(offers, newest)
  if (await offers.finish()) onProgress(of, of)
}

/** @returns false when it is over */
async function offer(offers: Offers, record: IncomingRecord): Promise<boolean> {
  const head = readHead(record)
  // A record that tells no version is a dead letter already, and says nothing that could be sent.
  if (head === null) return true
  return await offers.add({ ...head, ...ownBytes(record), offset: record.offset, trials: UNCERTAIN })
}
