import type { OutgoingRecord, Producer } from '../../connectors/kafka/producer.ts'
import type { CaptureContext, HydratedRow, Source, SourceEvent, StoredState } from '../../connectors/source.ts'
import { fenceRecords } from '../../producers/fence.ts'
import type { OpenDeadLetters } from '../../producers/open-dead-letters.ts'
import { capture } from '../../producers/pipeline.ts'
import { parseStored } from '../../producers/positions.ts'
import { publishedBatches } from '../../producers/published.ts'
import { deltaSchema } from '../../schemas/avro.ts'
import { createDeltaEncoder } from '../../schemas/codec.ts'
import { TributaryError, UnencodableValue } from '../../schemas/errors.ts'
import { captureDeadLetterTopic, entityTopic, positionsTopic } from '../../schemas/topics.ts'
import { ENTITY as CUSTOMER } from '../consumers/fixtures.ts'
import type { Broker } from './broker.ts'
import { type Database, deletion, ENTITY, type Session, snapshotVersion, UNENCODABLE, upsert } from './database.ts'
import type { Flaws } from './flaws.ts'

export const PREFIX = 'shop'
export const SOURCE = 'erp'
export const LETTERS = captureDeadLetterTopic(PREFIX, SOURCE)
export const POSITIONS = positionsTopic(PREFIX)
export const RECORDS = entityTopic(PREFIX, ENTITY)

/** A call of a process to the broker or the database that has not been answered yet. */
export interface CaptureCall {
  readonly process: CaptureProcess
  readonly kind: 'send' | 'acquire' | 'read' | 'other'
  /** Whether the process was frozen already when its timers made it: then nothing of it has left the process. */
  readonly madeFrozen: boolean
  readonly records: readonly OutgoingRecord[]
  ready(): boolean
  carryOut(): unknown
  resolve(result: unknown): void
  reject(error: Error): void
}

export interface CaptureSurroundings {
  readonly broker: Broker
  readonly database: Database
  readonly flaws: Flaws
  call(call: CaptureCall): void
  /** The next events of one read, at most. */
  eventsMax(): number
  /** The process tells its source what may be forgotten. */
  acknowledged(session: Session | null, position: bigint): void
  ended(process: CaptureProcess, error: Error | null): void
}

interface Asked {
  readonly kind?: CaptureCall['kind']
  readonly records?: readonly OutgoingRecord[]
  readonly ready?: () => boolean
  readonly carryOut: () => unknown
}

const ENCODERS = new Map([[ENTITY, createDeltaEncoder(CUSTOMER, deltaSchema(PREFIX, CUSTOMER), 7)]])
const HISTORY = 'history'
const always = () => true

interface History {
  readonly generation: number
  readonly epoch: number
  /** Whether its snapshot is on the topic as a whole. */
  readonly done: boolean
}

/** What is stored of the source. */
export function storedIn(broker: Broker): StoredState {
  const values = [...broker.topic(POSITIONS).last()].flatMap(([key, { value }]) =>
    value !== null && key.startsWith(`${SOURCE}/`) ? [[key.slice(SOURCE.length + 1), value] as const] : [],
  )
  return parseStored(PREFIX, SOURCE, new Map(values))
}

/** Whether the history of this slot is on the topic from its beginning. */
export function isContinued({ values }: StoredState, generation: number): boolean {
  const known = values.get(HISTORY) as History | undefined
  return known?.done === true && known.generation === generation
}

/** One process that captures: the real stages, and connections to everything else that the schedule may delay, cut or freeze. */
export class CaptureProcess {
  frozen = false
  dead = false
  readonly #surroundings: CaptureSurroundings
  readonly #stop = new AbortController()
  /** The present attempt's connection to the source. */
  #session: Session | null = null

  constructor(surroundings: CaptureSurroundings) {
    this.#surroundings = surroundings
  }

  start(): void {
    const { ended } = this.#surroundings
    const running = capture(
      {
        prefix: PREFIX,
        source: SOURCE,
        openSource: () => this.#openSource(),
        openProducer: () => this.#openProducer(),
        ...this.#stored(),
        openPublished: (flush) => this.#openPublished(flush),
        loadEncoders: async () => ENCODERS,
        claim: (events) => events,
        observer: { published() {}, unencodable() {}, deadLetters() {}, restarted() {} },
        log() {},
        onReady() {},
      },
      this.#stop.signal,
    )
    running.then(
      () => ended(this, null),
      (error) => ended(this, error as Error),
    )
  }

  /** Asked to end, it publishes what it has read. */
  stop(): void {
    this.#stop.abort()
  }

  /** The process ends at once: nothing that it asked for reaches it any more. */
  die(): void {
    this.dead = true
    this.#surroundings.database.end(this.#session)
  }

  /** The source ends its connection. */
  cutOff(): void {
    this.#surroundings.database.end(this.#session)
  }

  #call<T>({ kind = 'other', records = [], ready = always, carryOut }: Asked): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.dead) return
      const answer = { resolve: resolve as CaptureCall['resolve'], reject }
      this.#surroundings.call({ process: this, kind, madeFrozen: this.frozen, records, ready, carryOut, ...answer })
    })
  }

  // What is stored in Kafka

  #stored() {
    const { broker } = this.#surroundings
    return {
      openFences: async () => [...fenceRecords(POSITIONS, 1, SOURCE), ...fenceRecords(LETTERS, 1, SOURCE)],
      loadState: () => this.#call<StoredState>({ carryOut: () => storedIn(broker) }),
      loadDeadLetters: (into: OpenDeadLetters) =>
        this.#call<void>({
          carryOut: () => {
            for (const record of broker.topic(LETTERS).records) into.restore(record)
          },
        }),
    }
  }

  /** As producers/published.ts has it, but for the broker. */
  #openPublished(
    flush: (records: readonly OutgoingRecord[]) => Promise<void>,
  ): Pick<CaptureContext, 'publishedRange' | 'published'> {
    const { broker, flaws } = this.#surroundings
    const topic = broker.topic(RECORDS)
    let fenced = flaws.readsUnfenced === true
    const settle = async () => {
      const fences = fenced ? [] : fenceRecords(RECORDS, 1, SOURCE)
      fenced = true
      await flush(fences)
    }
    return {
      publishedRange: async () => {
        await settle()
        return { 0: { next: '0', end: `${topic.end}` } }
      },
      published: async function* (_entity, range) {
        await settle()
        const end = BigInt(range[0]!.end)
        const within = topic.records.filter(({ offset }) => offset < end)
        const last = new Map(within.map((record) => [`${record.key}`, record]))
        yield* publishedBatches({ records: flaws.sweepsByLast ? [...last.values()] : within, rest: {} })
      },
    }
  }

  #openProducer(): Producer {
    const { broker, flaws } = this.#surroundings
    let epoch = 0
    const send = (records: readonly OutgoingRecord[]) =>
      this.#call<void>({ kind: 'send', records, carryOut: () => broker.append(epoch, records) })
    return {
      connect: async () => {
        epoch = await this.#call<number>({ carryOut: () => broker.connect() })
      },
      send: async (records) => {
        if (!flaws.concurrentSends || records.length < 2) return await send(records)
        const middle = records.length >> 1
        await Promise.all([send(records.slice(0, middle)), send(records.slice(middle))])
      },
      close: async () => {},
    }
  }

  // The source

  #openSource(): Source {
    const { database } = this.#surroundings
    let session: Session | null = null
    const take = async (signal: AbortSignal) => {
      const free = () => signal.aborted || database.slot.holder === null
      session = await this.#call<Session | null>({
        kind: 'acquire',
        ready: free,
        carryOut: () => (signal.aborted ? null : database.acquire()),
      })
      this.#session = session
      return session
    }
    return {
      plan: async () => [],
      prepare: async () => {},
      events: (context, signal) => this.#events(context, signal, take),
      requireHeld: () =>
        this.#call<void>({
          carryOut: () => {
            if (!session?.alive) throw new TributaryError('source-unreachable', 'the source is not held any more')
          },
        }),
      acknowledge: (position) => this.#surroundings.acknowledged(session, position),
      hydrate: async (_entity, keys, fields) => this.#hydrate(keys, fields),
      status: async () => ({ active: true, slot: 'streaming', position: null, lagBytes: null, lagSeconds: null }),
      close: async () => database.end(session),
    }
  }

  #hydrate(keys: readonly string[], fields: readonly string[]): ReadonlyMap<string, HydratedRow> {
    const read = new Map<string, HydratedRow>()
    for (const key of keys) {
      const row = this.#surroundings.database.rows.get(key)
      if (!row) continue
      for (const field of fields)
        if (row[field] === UNENCODABLE) throw new UnencodableValue(field, 'no record can take it', 'as told')
      read.set(key, Object.fromEntries(fields.map((field) => [field, row[field]!])))
    }
    return read
  }

  /** As connectors/postgres has it in essence: a history that cannot be continued begins anew, with the rows as they are and a sweep. */
  async *#events(
    context: CaptureContext,
    signal: AbortSignal,
    take: (signal: AbortSignal) => Promise<Session | null>,
  ): AsyncGenerator<readonly SourceEvent[], void, undefined> {
    const { database, flaws, eventsMax } = this.#surroundings
    const session = await take(signal)
    if (session === null) return
    const stored = await context.takeOver()
    const known = stored.values.get(HISTORY) as History | undefined
    let epoch = known?.epoch ?? 0
    let from = stored.position?.position ?? 0n
    if (!isContinued(stored, database.slot.generation)) {
      if (!flaws.sameEpoch || epoch === 0) epoch++
      const { generation, point, rows } = await this.#call<ReturnType<Database['newSlot']>>({
        carryOut: () => database.newSlot(session),
      })
      yield [{ kind: 'state', name: HISTORY, value: { generation, epoch, done: false } satisfies History }]
      const version = snapshotVersion(BigInt(epoch), point)
      const range = await context.publishedRange(ENTITY)
      for (const [key, row] of rows) if (row) yield [upsert(key, version, 'snapshot', row)]
      if (!flaws.noSweep)
        for await (const { records } of context.published(ENTITY, range))
          for (const { key, deleted } of records) if (!deleted && !rows.get(key)) yield [deletion(key, version)]
      yield [
        { kind: 'state', name: HISTORY, value: { generation, epoch, done: true } satisfies History },
        { kind: 'progress', position: point },
      ]
      from = point
    }
    database.startBehind(session, from)
    context.onStreaming()
    while (!signal.aborted) {
      const ready = () => signal.aborted || !session.alive || database.hasMore(session)
      const carryOut = () => (signal.aborted ? [] : database.read(session, BigInt(epoch), eventsMax()))
      yield await this.#call<readonly SourceEvent[]>({ kind: 'read', ready, carryOut })
    }
  }
}
