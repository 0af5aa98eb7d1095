import type { IncomingRecord } from '../../connectors/kafka/consumer.ts'
import { TributaryError } from '../../schemas/errors.ts'
import { recordVersion } from '../../schemas/record-head.ts'
import { compareVersions, formatVersion, type Version } from '../../schemas/version.ts'
import type { Random } from '../consumers/simulation/random.ts'
import type { Feed } from '../consumers/simulation/world.ts'
import { Broker, type Topic } from './broker.ts'
import {
  type CaptureCall,
  CaptureProcess,
  type CaptureSurroundings,
  isContinued,
  RECORDS,
  storedIn,
} from './capture-process.ts'
import { Database } from './database.ts'
import type { Flaws } from './flaws.ts'

const CAPTURES_MAX = 3
/** What becomes of a send whose answer is lost. */
const FATES = ['carried out', 'late', 'never'] as const
type Fate = (typeof FATES)[number]

/** Everything before the entity's topic, and that topic: what happens to it. Each method is one thing that a schedule may choose. */
export class Upstream implements Feed {
  readonly random: Random
  readonly database: Database
  readonly broker: Broker
  readonly topic: Topic
  readonly failures: Error[] = []
  /** What happened, for whoever looks into a seed. */
  readonly trail: string[] = []
  faults = true
  captures: CaptureProcess[] = []
  /** The most events of one read. */
  eventsMax = () => 1 + this.random.upTo(5)
  #calls: CaptureCall[] = []
  #lateSends: (() => void)[] = []
  #early: { process: CaptureProcess; append: () => void }[] = []
  readonly #flaws: Flaws
  readonly #lossySends: number

  constructor(random: Random, flaws: Flaws) {
    this.random = random
    this.#flaws = flaws
    this.broker = new Broker(flaws.noProducerFence === true)
    this.database = new Database(random, flaws)
    this.topic = this.broker.topic(RECORDS)
    this.#lossySends = random.pick([0, 0.05, 0.2])
    this.startCapture()
  }

  // Processes

  startCapture(): void {
    if (this.captures.length >= CAPTURES_MAX) return
    const { broker, database } = this
    const surroundings: CaptureSurroundings = {
      broker,
      database,
      flaws: this.#flaws,
      call: (call) => this.#calls.push(call),
      eventsMax: () => this.eventsMax(),
      acknowledged: (session, position) => {
        this.note(`acknowledged ${position}`)
        database.confirm(session, position)
      },
      ended: (process, error) => {
        if (process.dead) return
        this.captures = this.captures.filter((other) => other !== process)
        if (error) this.failures.push(error)
      },
    }
    const process = new CaptureProcess(surroundings)
    this.captures.push(process)
    process.start()
  }

  stopCapture(): void {
    const process = this.#some(({ frozen }) => !frozen)
    process?.stop()
  }

  crashCapture(process = this.#some(() => true), fate?: Fate): void {
    if (!process) return
    this.note('a capture crashes')
    process.die()
    this.#early = this.#early.filter((one) => one.process !== process)
    for (const call of this.#calls)
      if (call.process === process && call.kind === 'send' && !call.madeFrozen) this.#lose(call, fate)
    this.#calls = this.#calls.filter((call) => call.process !== process)
    this.captures = this.captures.filter((other) => other !== process)
  }

  freezeCapture(process = this.#some(({ frozen }) => !frozen)): void {
    if (process) process.frozen = true
  }

  thawCapture(): void {
    const process = this.#some(({ frozen }) => frozen)
    if (process) process.frozen = false
  }

  /** The source hears nothing of a process any more, or does not want to. */
  cutCapture(process = this.#some(() => true)): void {
    process?.cutOff()
  }

  #some(wanted: (process: CaptureProcess) => boolean): CaptureProcess | undefined {
    const some = this.captures.filter(wanted)
    return some.length > 0 ? this.random.pick(some) : undefined
  }

  // Calls

  get calls(): readonly CaptureCall[] {
    return this.#calls.filter(({ process, ready }) => !process.frozen && ready())
  }

  /** Carries out a call of a process that runs; a schedule may choose one. */
  answer(wanted: (call: CaptureCall) => boolean = () => true): boolean {
    const some = this.calls.filter(wanted)
    if (some.length === 0) return false
    const call = this.random.pick(some)
    this.#calls.splice(this.#calls.indexOf(call), 1)
    if (call.kind === 'send' && this.faults && this.random.chance(this.#lossySends)) {
      this.#lose(call)
      if (this.#flaws.lostAnswerIsDone) call.resolve(undefined)
      else call.reject(new TributaryError('publish-failed', 'the answer was lost'))
    } else this.#carryOut(call)
    return true
  }

  /** What a frozen process has sent is carried out; it hears of that when it goes on. */
  landFrozen(): void {
    const call = this.#calls.find(({ process, kind, madeFrozen }) => process.frozen && kind === 'send' && !madeFrozen)
    if (!call) return
    const answered = outcomeOf(call)
    this.note(`${textOf(call)}, of a frozen one`)
    this.#calls[this.#calls.indexOf(call)] = { ...call, kind: 'other', carryOut: answered }
  }

  /** A send that was given up reaches the broker after all. */
  landSend(): void {
    this.#lateSends.shift()?.()
  }

  landEarly(): void {
    this.#early.shift()?.append()
  }

  #carryOut(call: CaptureCall): void {
    const { process } = call
    if (call.kind === 'send') {
      this.note(textOf(call))
      if (this.#flaws.answersEarly) {
        this.#early.push({ process, append: () => outcomeOf(call) })
        call.resolve(undefined)
        return
      }
    }
    const answered = outcomeOf(call)
    try {
      call.resolve(answered())
    } catch (error) {
      call.reject(error as Error)
    }
  }

  /** It is carried out now, later or never, and nobody hears of it. */
  #lose(call: CaptureCall, fate: Fate = this.random.pick(FATES)): void {
    this.note(`${textOf(call)}, lost: ${fate}`)
    if (fate === 'carried out') outcomeOf(call)
    else if (fate === 'late')
      this.#lateSends.push(() => {
        this.note(`${textOf(call)}, late`)
        outcomeOf(call)
      })
  }

  /** What is lost or frozen ends, and one capture runs. */
  heal(): void {
    while (this.#lateSends.length > 0) this.landSend()
    while (this.#early.length > 0) this.landEarly()
    for (const process of this.captures) process.frozen = false
    this.startCapture()
  }

  // The topic

  get rows() {
    return this.database.rows
  }

  get high(): bigint {
    return this.topic.end
  }

  get published(): boolean {
    const { log, slot } = this.database
    const stored = storedIn(this.broker)
    const last = log.at(-1)?.position ?? 0n
    const isDone = slot.confirmed >= last || (stored.position?.position ?? 0n) >= last
    return isDone && isContinued(stored, slot.generation)
  }

  someKey(): string {
    return this.random.pick(this.database.keys)
  }

  touch(key: string): void {
    const before = this.rows.get(key)
    if (before) this.database.commit([[key, { ...before, a: `repaired ${this.database.position}` }]])
  }

  read(from: bigint, max: number): IncomingRecord[] {
    const read: IncomingRecord[] = []
    for (const record of this.topic.records) if (record.offset >= from && read.length < max) read.push(record)
    return read
  }

  versionAt(offset: bigint, key: string): string | undefined {
    const record = this.topic.history[Number(offset)]
    if (!record || `${record.key}` !== key) return undefined
    const version = recordVersion(record.value, record.headers)
    return version && formatVersion(version)
  }

  newestOf(key: string): Version | undefined {
    const last = this.topic.last().get(key)
    return last && recordVersion(last.value, last.headers)
  }

  /** Not while a key ends with an older version than it had: what was overtaken is published again within `min.compaction.lag.ms`. */
  compact(before = BigInt(this.random.upTo(Number(this.topic.end)))): void {
    const newest = new Map<string, Version>()
    const stale = new Set<string>()
    for (const { key, value, headers } of this.topic.records) {
      const version = recordVersion(value, headers)
      if (!version) continue
      const known = newest.get(`${key}`)
      if (known && compareVersions(version, known) < 0) stale.add(`${key}`)
      else {
        newest.set(`${key}`, version)
        stale.delete(`${key}`)
      }
    }
    if (stale.size === 0) this.topic.compact(before)
  }

  note(what: string): void {
    this.trail.push(`${Date.now() % 1_000_000} ${what}`)
  }
}

/** Carries a call out, and answers with what became of it. */
function outcomeOf({ carryOut }: CaptureCall): () => unknown {
  try {
    const result = carryOut()
    return () => result
  } catch (error) {
    return () => {
      throw error
    }
  }
}

function textOf({ records }: CaptureCall): string {
  return `send of ${records
    .map(({ key, value, headers }) => {
      const version = recordVersion(value, headers)
      return version ? `${key} ${formatVersion(version)}${value === null ? ' delete' : ''}` : `${key}=${value}`
    })
    .join(', ')}`
}
