import type { IncomingRecord } from '../../../connectors/kafka/consumer.ts'
import { clearedRecord, deadLetterRecord } from '../../../producers/capture-dead-letter.ts'
import type { Entity } from '../../../schemas/entity.ts'
import { parseFieldType } from '../../../schemas/field-type.ts'

/** A record of the topic of source `erp`, at minute `position`. */
export function letterRecord(
  entity: string,
  key: string,
  position: bigint,
  more: { field?: string; reason?: string } = {},
) {
  const committedAt = position * 60_000_000n
  const source = {
    system: 'postgres',
    instance: 'erp',
    object: `public.${entity}s`,
    position: `0/${position}`,
    transaction: '7',
    committedAt,
    capturedAt: committedAt,
  }
  const version = { epoch: 1n, position, ordinal: 0 }
  const { field = 'credit', reason = 'it is not a finite number' } = more
  return deadLetterRecord('acme', 'erp', { entity, key, version, source, field, reason, since: committedAt })
}

export function clearing(entity: string, key: string, position: bigint) {
  return clearedRecord('acme', 'erp', { entity, key, version: { epoch: 1n, position, ordinal: 0 } })
}

/** Records as they come from one partition of a topic. */
export function incoming(records: readonly ReturnType<typeof letterRecord>[], from = 0): IncomingRecord[] {
  return records.map(({ topic, key, value, headers }, at) => ({
    topic,
    partition: 0,
    offset: BigInt(from + at),
    key: Buffer.from(key),
    value,
    headers,
    timestampMs: 0,
  }))
}

export function entity(
  name: string,
  fields: Readonly<Record<string, { type: string; personal?: boolean }>>,
  key: string[],
): Entity {
  return {
    name,
    key,
    fields: Object.entries(fields).map(([field, { type, personal = false }]) => ({
      name: field,
      type: parseFieldType(type),
      personal,
    })),
    class: 'standard',
    owner: 'sales',
    freshnessSeconds: 60,
  }
}
