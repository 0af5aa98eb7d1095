import { dirname, resolve as resolvePath } from 'node:path'
import { parseFieldType } from '../../schemas/field-type.ts'
import { durationMs, sizeBytes, sound, unchecked } from './checked-text.ts'
import type { Declaration, DeclaredBlobs, DeclaredEntity, DeclaredSource } from './declaration.ts'
import type { Declared } from './definition.ts'
import { parseTable } from './notation.ts'
import type { Path, Problem } from './problem.ts'
import { resolveKafka, resolveRedis, resolveRegistry } from './servers/resolve.ts'
import type { DeclaredTransforms } from './subscribers/custom-transforms.ts'
import type { WrittenSubscription } from './subscribers/definition.ts'
import type { WrittenField } from './subscribers/field-definition.ts'
import { resolveSubscriber } from './subscribers/resolve.ts'

export const SLOT_CHARACTERS_MAX = 63

/** The replication slot and publication of a source that names none. */
export function defaultSlot(name: string, source: string): string {
  return `tributary_${name}_${source}`.replaceAll('-', '_')
}

/** A declaration that was checked, with every default filled in and every name followed. */
export function resolve(declared: Declared, file: string, place: (path: Path) => Problem): Declaration {
  const transforms =
    declared.transforms === undefined ? null : declaredTransforms(declared, declared.transforms, file, place)
  const entities = mapValues(declared.entities, resolveEntity)
  return {
    file,
    name: declared.name,
    kafka: resolveKafka(declared.kafka, file),
    registry: resolveRegistry(declared.registry, file),
    redis: resolveRedis(declared.redis, file),
    ledger: declared.ledger,
    topics: {
      deleteRetentionMs: durationMs(declared.topics.deleteRetention),
      erasureMs: durationMs(declared.topics.erasure),
      minCompactionLagMs: durationMs(declared.topics.minCompactionLag),
    },
    blobs: declared.blobs === undefined ? null : resolveBlobs(declared.blobs, file),
    claims: { aboveBytes: sizeBytes(declared.claims.above), recordBytesMax: sizeBytes(declared.claims.recordMax) },
    transforms,
    sources: mapValues(declared.sources, ({ heartbeat, walWarning, ...source }, name): DeclaredSource => {
      const slot = defaultSlot(declared.name, name)
      return {
        ...source,
        name,
        slot: source.slot ?? slot,
        publication: source.publication ?? slot,
        heartbeatMs: heartbeat === 'off' || heartbeat === '0s' ? 0 : durationMs(heartbeat),
        walWarningBytes: sizeBytes(walWarning),
      }
    }),
    entities,
    subscribers: mapValues(declared.subscribers, (subscriber, name) =>
      resolveSubscriber(subscriber, name, entities, transforms?.functions ?? NO_FUNCTIONS),
    ),
  }
}

const NO_FUNCTIONS = new Map()

function declaredTransforms(
  { subscribers }: Declared,
  path: string,
  file: string,
  place: (path: Path) => Problem,
): DeclaredTransforms {
  const uses = Object.entries(subscribers).flatMap(([subscriber, { entities }]) =>
    Object.entries(entities).flatMap(([entity, subscription]: [string, WrittenSubscription]) =>
      Object.entries(subscription?.fields ?? {}).flatMap(([to, written]: [string, WrittenField]) => {
        if (typeof written === 'string' || written.custom === undefined) return []
        const at = ['subscribers', subscriber, 'entities', entity, 'fields', to, 'custom']
        return [{ name: written.custom, place: place(at) }]
      }),
    ),
  )
  return { file: resolvePath(dirname(file), path), place: place(['transforms']), uses, functions: new Map() }
}

const REGION = 'us-east-1'

function resolveBlobs(blobs: NonNullable<Declared['blobs']>, file: string): DeclaredBlobs {
  const { type, path, endpoint, bucket, region = REGION, prefix = '', accessKeyId, secretAccessKey } = blobs
  const keepMs = durationMs(blobs.keep)
  if (type === 'folder') {
    if (path === undefined) throw unchecked('a folder without a path')
    return { type, keepMs, path: resolvePath(dirname(file), path) }
  }
  if (endpoint === undefined || bucket === undefined || accessKeyId === undefined || secretAccessKey === undefined)
    throw unchecked('a store without an address')
  return { type, keepMs, endpoint: endpoint.replace(/\/$/, ''), bucket, region, prefix, accessKeyId, secretAccessKey }
}

function resolveEntity(entity: Declared['entities'][string], name: string): DeclaredEntity {
  const fields = Object.entries(entity.fields).map(([field, value]) => {
    const { type, personal, column } =
      typeof value === 'string' ? { type: value, personal: false, column: field } : value
    return { name: field, type: parseFieldType(type), personal, column: column ?? field }
  })
  return {
    name,
    key: typeof entity.key === 'string' ? [entity.key] : entity.key,
    fields: fields.map(({ column: _, ...field }) => field),
    class: entity.class,
    owner: entity.owner,
    freshnessSeconds: durationMs(entity.freshness) / 1000,
    source: entity.source,
    table: sound(parseTable(entity.table)),
    columns: new Map(fields.map((field) => [field.name, field.column])),
    authority: entity.authority ?? entity.source,
    consistency: entity.consistency,
    partitions: entity.partitions,
  }
}

function mapValues<T, R>(
  record: Readonly<Record<string, T>>,
  to: (value: T, name: string) => R,
): ReadonlyMap<string, R> {
  return new Map(Object.entries(record).map(([name, value]) => [name, to(value, name)]))
}
