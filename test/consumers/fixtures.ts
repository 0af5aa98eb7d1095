import type { EntityMapping } from '../../connectors/destination.ts'
import type { IncomingRecord } from '../../connectors/kafka/consumer.ts'
import { createFingerprinter } from '../../consumers/fingerprint.ts'
import type { Route } from '../../consumers/item.ts'
import type { DeliveryObserver } from '../../consumers/observer.ts'
import { deltaSchema } from '../../schemas/avro.ts'
import { createDeltaDecoder, createDeltaEncoder, type DeltaDecoder } from '../../schemas/codec.ts'
import { deletionHeaders } from '../../schemas/deletion.ts'
import type { Change, Deletion, Delta } from '../../schemas/delta.ts'
import type { Value } from '../../schemas/field-type.ts'
import type { Version } from '../../schemas/version.ts'
import { deltaOf, entityOf } from '../schemas/sample.ts'

export const SECRET = 'a key for tests only, 32 characters'
export const TOPIC = 'shop.customer'
export const ENTITY = entityOf('customer', { id: 'string', a: 'string', b: 'string', c: 'string' })

export const MAPPING: EntityMapping = {
  entity: ENTITY,
  target: 'customers',
  fields: ['a', 'b', 'c'].map((name) => ({
    to: `to_${name}`,
    from: [name],
    type: { kind: 'string' },
    transform: null,
  })),
  keyFields: [],
  updateOnly: false,
  lookups: {},
  onDelete: 'hard',
}

export const FINGERPRINTER = createFingerprinter(SECRET, MAPPING.fields)
export const ROUTE: Route = { topic: TOPIC, mapping: MAPPING, fingerprinter: FINGERPRINTER, partitions: 1 }

export function versionAt(position: number | bigint, ordinal = 0, epoch = 1n): Version {
  return { epoch, position: BigInt(position), ordinal }
}

export function upsertOf(key: string, position: number, fields: Readonly<Record<string, Value>>): Delta {
  return deltaOf('customer', { id: key, ...fields }, { key, version: versionAt(position) })
}

export function deleteOf(key: string, position: number): Deletion {
  const { source } = upsertOf(key, position, {})
  return { op: 'delete', entity: 'customer', key, version: versionAt(position), source, origin: null }
}

const schema = deltaSchema('shop', ENTITY)
const encode = createDeltaEncoder(ENTITY, schema, 7)

/** A decoder that knows the schema of {@link recordOf}. */
export function sampleDecoder(): DeltaDecoder {
  return createDeltaDecoder({ schemaById: async () => schema })
}

export function recordOf(change: Change, offset: number | bigint, partition = 0): IncomingRecord {
  const head = { topic: TOPIC, partition, offset: BigInt(offset), key: Buffer.from(change.key), timestampMs: 0 }
  if (change.op === 'delete') return { ...head, value: null, headers: deletionHeaders(change) }
  return { ...head, value: encode(change), headers: {} }
}

export const SILENT_OBSERVER: DeliveryObserver = {
  received() {},
  coalesced() {},
  gated() {},
  applied() {},
  answered() {},
  deadLettered() {},
  retried() {},
  breaker() {},
  lag() {},
  load() {},
  batch() {},
}
