import type { EntityMapping } from '../../../connectors/destination.ts'
import type { IncomingRecord } from '../../../connectors/kafka/consumer.ts'
import { createFingerprinter } from '../../../consumers/fingerprint.ts'
import type { Route } from '../../../consumers/item.ts'
import { deltaSchema } from '../../../schemas/avro.ts'
import { createDeltaDecoder, createDeltaEncoder, type DeltaDecoder } from '../../../schemas/codec.ts'
import type { Entity } from '../../../schemas/entity.ts'

const FIELDS = ['name', 'email', 'note']
const TEXT = { kind: 'string' } as const
const SCHEMA_ID = 7

const entity: Entity = {
  name: 'customer',
  key: ['id'],
  fields: ['id', ...FIELDS].map((name) => ({ name, type: TEXT, personal: false })),
  class: 'standard',
  owner: 'bench',
  freshnessSeconds: 60,
}

export const MAPPING: EntityMapping = {
  entity,
  target: 'customers',
  fields: FIELDS.map((name) => ({ to: name, from: [name], type: TEXT, transform: null })),
  keyFields: [],
  updateOnly: false,
  lookups: {},
  onDelete: 'hard',
}

export const PARTITIONS = 6
export const ROUTE: Route = {
  topic: 'bench.customer',
  mapping: MAPPING,
  fingerprinter: createFingerprinter('a key for benchmarks only, 32 characters', MAPPING.fields),
  partitions: PARTITIONS,
}

const schema = deltaSchema('bench', entity)
const encode = createDeltaEncoder(entity, schema, SCHEMA_ID)

/** Knows the schema of {@link changeOf}, as one does that has asked the registry once. */
export function knowingDecoder(): DeltaDecoder {
  return createDeltaDecoder({ schemaById: async () => schema })
}

const LONG_TEXT = 'x'.repeat(200)

/** A change of one of the key's fields. `position` is that of no other change. */
export function changeOf(key: string, position: number, partition: number, offset: number): IncomingRecord {
  const value = encode({
    op: 'update',
    entity: entity.name,
    key,
    version: { epoch: 1n, position: BigInt(position), ordinal: 0 },
    changed: ['name'],
    after: { id: key, name: `customer ${position}`, email: `${key}@example.com`, note: LONG_TEXT },
    source: {
      system: 'postgres',
      instance: 'erp',
      object: 'public.customers',
      position: '0/16B3748',
      transaction: null,
      committedAt: 1_763_785_000_000_000n,
      capturedAt: 1_763_785_000_000_123n,
    },
    origin: null,
    claims: {},
  })
  const head = { topic: ROUTE.topic, partition, offset: BigInt(offset), key: Buffer.from(key), timestampMs: 0 }
  return { ...head, value, headers: {} }
}
