import { requireTopics } from '../../connectors/kafka/admin.ts'
import { createProducer } from '../../connectors/kafka/producer.ts'
import type { Notice } from '../../connectors/postgres/notice.ts'
import { newSlotMemory, type SlotMemory } from '../../connectors/postgres/slot/slot-memory.ts'
import { createPostgresSource } from '../../connectors/postgres/source.ts'
import type { ValueLimits } from '../../connectors/postgres/values.ts'
import type { SnapshotProgress, Source } from '../../connectors/source.ts'
import { createClaimStage } from '../../producers/claim.ts'
import { takeOverFences } from '../../producers/fence.ts'
import { loadDeadLetters } from '../../producers/load-dead-letters.ts'
import type { CaptureObserver } from '../../producers/observer.ts'
import { capture } from '../../producers/pipeline.ts'
import { loadStored } from '../../producers/positions.ts'
import { createPublished } from '../../producers/published.ts'
import { deltaSchema, valueSubject } from '../../schemas/avro.ts'
import { createDeltaEncoder } from '../../schemas/codec.ts'
import type { Delta } from '../../schemas/delta.ts'
import { TributaryError } from '../../schemas/errors.ts'
import { captureDeadLetterTopic, entityTopic, positionsTopic, producerName } from '../../schemas/topics.ts'
import { capturedTables, entitiesOf } from '../declaration/captured-tables.ts'
import type { Declaration, DeclaredEntity, DeclaredSource } from '../declaration/declaration.ts'
import type { SourceObserver } from '../metrics/source.ts'
import { openBlobStore } from './blobs.ts'
import type { Environment } from './environment.ts'

export interface CaptureParts {
  readonly observer: CaptureObserver
  readonly onSnapshotProgress: (progress: SnapshotProgress) => void
  readonly sourceObserver: SourceObserver
  readonly onReady: (ready: boolean, reason?: string) => void
}

/**
 * Captures one source until `signal` aborts.
 * @throws TributaryError with the fate `stop`; `declaration-invalid` for a source that is not declared
 */
export async function runCapture(
  environment: Environment,
  sourceName: string,
  parts: CaptureParts,
  signal: AbortSignal,
): Promise<void> {
  const { declaration, kafka, log } = environment
  const source = findSource(declaration, sourceName)
  const watching = { ...parts.sourceObserver, memory: newSlotMemory() }
  await capture(
    {
      prefix: declaration.name,
      source: sourceName,
      openSource: () => openSource(environment, source, parts.onSnapshotProgress, watching),
      openProducer: () => createProducer(kafka, producerName(declaration.name, sourceName)),
      loadState: () => loadStored(kafka, declaration.kafka.brokers, declaration.name, sourceName),
      openFences: () => takeOverFences(kafka, declaration.kafka.brokers, declaration.name, sourceName),
      openPublished: (flush, either) =>
        createPublished({
          kafka,
          brokers: declaration.kafka.brokers,
          prefix: declaration.name,
          source: sourceName,
          flush,
          signal: either,
        }),
      loadDeadLetters: (into) =>
        loadDeadLetters(kafka, declaration.kafka.brokers, declaration.name, sourceName, log, into, signal),
      async loadEncoders() {
        await requireTopics(kafka, topicsOf(declaration, sourceName))
        return await loadEncoders(environment, entitiesOf(declaration, sourceName))
      },
      claim: createClaimStage({
        blobs: openBlobStore(declaration),
        log,
        onWaiting: (reason) => parts.onReady(reason === null, reason ?? undefined),
      }),
      observer: parts.observer,
      log,
      onReady: parts.onReady,
    },
    signal,
  )
}

/** @throws TributaryError `declaration-invalid` */
export function findSource(declaration: Declaration, name: string): DeclaredSource {
  const source = declaration.sources.get(name)
  if (source) return source
  const known = [...declaration.sources.keys()].join(', ')
  throw new TributaryError(
    'declaration-invalid',
    `There is no source ${name} in ${declaration.file}; declared: ${known || 'none'}.`,
  )
}

/** Every topic that a source's capture writes to. */
export function topicsOf(declaration: Declaration, source: string): readonly string[] {
  const { name } = declaration
  const entities = entitiesOf(declaration, source).map((entity) => entityTopic(name, entity.name))
  return [...entities, captureDeadLetterTopic(name, source), positionsTopic(name)]
}

export function openSource(
  { declaration, log }: Environment,
  source: DeclaredSource,
  onSnapshotProgress: (progress: SnapshotProgress) => void = () => {},
  watching?: SourceObserver & { readonly memory: SlotMemory },
): Source {
  return createPostgresSource({
    name: source.name,
    url: source.url,
    slot: source.slot,
    publication: source.publication,
    onLostHistory: source.onLostHistory,
    snapshot: source.snapshot,
    heartbeatMs: source.heartbeatMs,
    walWarningBytes: source.walWarningBytes,
    ...watching,
    entities: capturedTables(declaration, source.name).map((table) => ({ ...table, limits: valueLimits(declaration) })),
    onSnapshotProgress,
    onNotice({ code, message, level = 'info' }: Notice) {
      log(level, message, { source: source.name, code })
      watching?.onNotice(code)
    },
  })
}

/** Without a store a value is large when no record can take it. */
function valueLimits({ blobs, claims }: Declaration): ValueLimits {
  const { aboveBytes, recordBytesMax } = claims
  return { largeAboveBytes: blobs === null ? recordBytesMax : aboveBytes, arrayTextBytesMax: recordBytesMax }
}

/** The encoder of each entity, for the schema that `provision` registered. A producer never registers one. */
async function loadEncoders(
  { declaration, registry }: Environment,
  entities: readonly DeclaredEntity[],
): Promise<Map<string, (delta: Delta) => Buffer>> {
  const encoders = new Map<string, (delta: Delta) => Buffer>()
  for (const entity of entities) {
    const schema = deltaSchema(declaration.name, entity)
    const id = await registry.idOf(valueSubject(entityTopic(declaration.name, entity.name)), schema)
    if (id === undefined)
      throw new TributaryError(
        'schema-not-registered',
        `The schema of ${entity.name}, as it is declared, is not in the registry. Run \`tributary provision\`.`,
      )
    encoders.set(entity.name, createDeltaEncoder(entity, schema, id, declaration.claims.recordBytesMax))
  }
  return encoders
}
