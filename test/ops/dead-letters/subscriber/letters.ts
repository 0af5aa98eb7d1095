import type { IncomingRecord } from '../../../../connectors/kafka/consumer.ts'
import type { OutgoingRecord } from '../../../../connectors/kafka/producer.ts'
import { readLetter } from '../../../../ops/dead-letters/subscriber/letters.ts'
import type { LetterState } from '../../../../schemas/dead-letter.ts'

export interface SampleLetter {
  readonly entity?: string
  readonly code?: string
  readonly reason?: string
  readonly state?: LetterState
  readonly sinceMs?: number
  readonly value?: Buffer
  readonly partition?: number
}

/** A record of a dead-letter topic, as the format says. */
export function letterRecord(topic: string, key: string, sample: SampleLetter = {}): OutgoingRecord {
  const { entity = 'customer', code = 'INVALID', reason = 'refused by a rule', state = 'dead' } = sample
  const failedAt = new Date(sample.sinceMs ?? 0)
  return {
    topic,
    key: `${entity}/${key}`,
    value: sample.value ?? Buffer.from([0, 1, 2]),
    headers: {
      '__connect.errors.topic': `shop.${entity}`,
      '__connect.errors.partition': String(sample.partition ?? 0),
      '__connect.errors.offset': '7',
      '__connect.errors.stage': 'TASK_PUT',
      '__connect.errors.exception.class.name': code,
      '__connect.errors.exception.message': reason,
      'tributary.code': code,
      'tributary.attempts': '5',
      'tributary.replays': '0',
      'tributary.first-failed-at': failedAt.toISOString(),
      'tributary.state': state,
      ...(state === 'retrying' && { 'tributary.next-try-at': new Date(failedAt.getTime() + 3_600_000).toISOString() }),
    },
  }
}

/** It as it comes from the topic. */
export function openLetter(key: string, sample: SampleLetter = {}, offset = 0n) {
  const { topic, value, headers, ...record } = letterRecord('shop.crm.dead-letter', key, sample)
  const incoming: IncomingRecord = {
    topic,
    partition: 0,
    offset,
    key: Buffer.from(record.key),
    value,
    headers,
    timestampMs: 0,
  }
  return readLetter(incoming)!
}
