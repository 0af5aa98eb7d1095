import { createHash } from 'node:crypto'
import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry'
import { type Consumer, Kafka, type KafkaMessage, logLevel } from 'kafkajs'
import { eventually } from '../../support/flow.ts'
import type { LetterEntry, OutputEntry, TopicEntry } from './history.ts'
import { exactTypes, fieldsOf, type WriterSchema } from './record-texts.ts'

export interface FollowerOptions {
  readonly brokers: readonly string[]
  readonly registryUrl: string
  /** The pipeline's name, which topics begin with. */
  readonly prefix: string
  readonly entities: readonly string[]
  readonly subscribers: readonly string[]
}

/** Reads entity topics and dead-letter topics while a run goes on, so that it has seen also what compaction takes away. */
export interface TopicFollower {
  /** Reads to what is the end now, and leaves. */
  finish(): Promise<Followed>
}

export interface Followed {
  readonly topic: readonly TopicEntry[]
  readonly letters: readonly LetterEntry[]
  /** The headers of all records, which no secret may be in. */
  readonly headers: readonly OutputEntry[]
}

interface Seen {
  readonly topic: string
  readonly partition: number
  readonly message: KafkaMessage
}

const CATCHES_UP_WITHIN_MS = 120_000
const MAGIC_BYTES = 1

export async function followTopics(options: FollowerOptions): Promise<TopicFollower> {
  const { prefix, entities, subscribers } = options
  const entityTopics = entities.map((entity) => `${prefix}.${entity}`)
  const letterTopics = subscribers.map((subscriber) => `${prefix}.${subscriber}.dead-letter`)
  const topics = [...entityTopics, ...letterTopics]
  const kafka = new Kafka({
    clientId: 'history',
    brokers: [...options.brokers],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 200, maxRetryTime: 2_000, retries: 8 },
  })
  const seen = new Map<string, Seen>()
  let consumer: Consumer | null = null
  let isOver = false

  /** A new one from where the group stands, whenever the former has given up: a broker that was away ends it. */
  const follow = async (): Promise<void> => {
    while (!isOver) {
      const crashed = Promise.withResolvers<void>()
      const one = kafka.consumer({ groupId: `${prefix}.history`, sessionTimeout: 10_000, maxWaitTimeInMs: 200 })
      consumer = one
      one.on(one.events.CRASH, () => crashed.resolve())
      try {
        await one.connect()
        await one.subscribe({ topics, fromBeginning: true })
        await one.run({
          eachMessage: async ({ topic, partition, message }) => {
            seen.set(`${topic}/${partition}@${message.offset}`, { topic, partition, message })
          },
        })
        ready.resolve()
        await crashed.promise
      } catch {
        // The broker is away: that is among what happens here. Whether all was read is asked in the end.
      }
      await one.disconnect().catch(() => {})
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
  const ready = Promise.withResolvers<void>()
  const following = follow()
  await ready.promise

  const isCaughtUp = async (): Promise<boolean> => {
    const admin = kafka.admin()
    await admin.connect()
    try {
      for (const topic of topics)
        for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
          const last = Number(high) - 1
          if (last >= Number(low) && !seen.has(`${topic}/${partition}@${last}`)) return false
        }
      return true
    } finally {
      await admin.disconnect()
    }
  }

  return {
    async finish() {
      await eventually(isCaughtUp, 'the history of the topics is read to the end', CATCHES_UP_WITHIN_MS)
      isOver = true
      await consumer?.disconnect()
      // Its consumer ends without a crash.
      following.catch(() => {})
      const inOrder = [...seen.values()].sort(
        (a, b) =>
          a.topic.localeCompare(b.topic) ||
          a.partition - b.partition ||
          Number(a.message.offset) - Number(b.message.offset),
      )
      const decoder = createDecoder(options.registryUrl)
      const topic: TopicEntry[] = []
      for (const one of inOrder)
        if (entityTopics.includes(one.topic)) {
          const entry = await decoder.entry(one.topic.slice(prefix.length + 1), one)
          if (entry !== null) topic.push(entry)
        }
      const places = new Map(
        topic.map((entry) => [`${prefix}.${entry.entity}/${entry.partition}@${entry.offset}`, entry]),
      )
      const letters = inOrder
        .filter((one) => letterTopics.includes(one.topic))
        .map((one) => letterOf(one, one.topic.slice(prefix.length + 1, -'.dead-letter'.length), places))
      return { topic, letters, headers: inOrder.map(headersOf) }
    },
  }
}

interface Delta {
  readonly op: TopicEntry['op']
  readonly version: { readonly epoch: bigint; readonly position: bigint; readonly ordinal: number }
  readonly after: Readonly<Record<string, unknown>>
}

function createDecoder(host: string) {
  const avro = { typeHook: exactTypes } as object
  const registry = new SchemaRegistry({ host }, { [SchemaType.AVRO]: avro })
  const schemas = new Map<number, Promise<WriterSchema>>()
  const schemaOf = (id: number): Promise<WriterSchema> => {
    const known = schemas.get(id)
    if (known !== undefined) return known
    const asked = fetch(`${host}/schemas/ids/${id}`).then(async (answer) => {
      const { schema } = (await answer.json()) as { schema: string }
      return JSON.parse(schema) as WriterSchema
    })
    schemas.set(id, asked)
    return asked
  }
  return {
    /** null for a fence, which says nothing of an object (schemas/fence.ts). */
    async entry(entity: string, { partition, message }: Seen): Promise<TopicEntry | null> {
      const key = message.key!.toString()
      if (key.startsWith('\0')) return null
      const at = { entity, partition, offset: Number(message.offset), atMs: Number(message.timestamp), key }
      const { value } = message
      if (value === null)
        return {
          ...at,
          version: String(message.headers?.['tributary-version']),
          op: 'delete',
          fields: null,
          hash: null,
        }
      const { op, version, after } = (await registry.decode(value)) as Delta
      return {
        ...at,
        version: `${version.epoch}/${version.position}/${version.ordinal}`,
        op,
        fields: fieldsOf(await schemaOf(value.readInt32BE(MAGIC_BYTES)), after),
        hash: hashOf(value),
      }
    },
  }
}

function headersOf({ topic, message }: Seen): OutputEntry {
  const headers = Object.entries(message.headers ?? {}).map(([name, value]) => `${name}: ${String(value)}`)
  return { atMs: Number(message.timestamp), process: `headers on ${topic}`, text: headers.join('; ') }
}

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32)
}

function letterOf(
  { message, partition }: Seen,
  subscriber: string,
  places: ReadonlyMap<string, TopicEntry>,
): LetterEntry {
  const name = message.key!.toString()
  const slash = name.indexOf('/')
  const at = {
    subscriber,
    partition,
    offset: Number(message.offset),
    atMs: Number(message.timestamp),
    entity: name.slice(0, slash),
    key: name.slice(slash + 1),
  }
  if (message.value === null) return { ...at, letter: null }
  const header = (what: string) => String(message.headers?.[what] ?? '')
  const place = `${header('__connect.errors.topic')}/${header('__connect.errors.partition')}@${header('__connect.errors.offset')}`
  return {
    ...at,
    letter: {
      version: places.get(place)?.version ?? '',
      reason: header('tributary.code'),
      attempts: Number(header('tributary.attempts')),
      hash: message.value.length === 0 ? null : hashOf(message.value),
    },
  }
}
