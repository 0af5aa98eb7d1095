import { BatchRefused, type Outcome, type Patch } from '../../../connectors/destination.ts'
import type { IncomingRecord } from '../../../connectors/kafka/consumer.ts'
import type { OutgoingRecord } from '../../../connectors/kafka/producer.ts'
import { packFingerprints, unpackFingerprints } from '../../../consumers/fingerprint.ts'
import { packVersion } from '../../../consumers/ledger/entry.ts'
import { formatVersion, type Version } from '../../../schemas/version.ts'
import { FINGERPRINTER, MAPPING } from '../fixtures.ts'
import { LedgerModel } from '../ledger/ledger-model.ts'
import type { Flaws } from './flaws.ts'
import { broughtBack, type Letter, letterOf } from './letters.ts'
import { type Call, cutOff, LATE_MS, Member, type Request, SESSION_MS } from './member.ts'
import { FIELDS, KEYS, type Origin } from './origin.ts'
import type { Random } from './random.ts'
import { type Compares, type Condition, Subscriber } from './subscriber.ts'

const SCOPE = { subscriber: 'warehouse', entity: 'customer', partition: 0 }
/** Where versions are compared, a lost request may land at any time, unless the ledger has lost its mark. */
const LATE_MS_COMPARED = 6 * LATE_MS

interface Clock {
  advance(ms: number): void
}

/** What a world needs of the place where its records come from. */
export interface Feed {
  /** What the subscriber is to be like in the end; null for what was deleted. */
  readonly rows: ReadonlyMap<string, Readonly<Record<string, string>> | null>
  readonly high: bigint
  /** Whether every change is on the topic. */
  readonly published: boolean
  someKey(): string
  /** A new value for a row that is there. */
  touch(key: string): void
  read(from: bigint, max: number): IncomingRecord[]
  /** The version of what a record said, when it was of this key. */
  versionAt(offset: bigint, key: string): string | undefined
  newestOf(key: string): Version | undefined
}

/** Everything outside a member, and everything that can happen to it. Each method is one thing that a schedule may choose. */
export class World<From extends Feed = Origin> {
  readonly random: Random
  readonly flaws: Flaws
  readonly compares: Compares
  readonly origin: From
  readonly subscriber: Subscriber
  readonly ledger: LedgerModel
  readonly failures: Error[] = []
  /** What happened, for whoever looks into a seed. */
  readonly trail: string[] = []
  faults = true
  member: Member
  zombies: Member[] = []
  calls: Call[] = []
  requests: Request[] = []
  restarts = 0
  readonly #lateMs: number
  readonly #restarts: boolean
  readonly #clock: Clock
  #committed = 0n
  #late: { atMs: number; carryOut: () => void }[] = []
  #lateCommands: (() => unknown)[] = []
  #saved = new Map<string, string>()
  readonly #vandalised = new Set<string>()
  readonly #lossyAnswers: number
  readonly #otherAnswers: number
  readonly #lossyCalls: number
  /** Open dead letters by key. */
  readonly #letters = new Map<string, Letter>()
  /** Every letter that ever was written: who replays may have looked long ago. */
  readonly #lettersWritten: Letter[] = []

  constructor(random: Random, compares: Compares, flaws: Flaws, clock: Clock, origin: From) {
    this.random = random
    this.compares = compares
    this.flaws = flaws
    this.#clock = clock
    this.origin = origin
    this.#lossyAnswers = random.pick([0, 0.05, 0.2])
    this.#otherAnswers = random.pick([0, 0.03, 0.1])
    this.#lossyCalls = random.pick([0, 0, 0.05])
    this.#restarts = compares !== 'versions' || random.chance(0.5)
    this.#lateMs = this.#restarts ? LATE_MS : LATE_MS_COMPARED
    this.subscriber = new Subscriber(compares, flaws.partialCreates === true)
    this.ledger = new LedgerModel(flaws)
    this.member = this.#newMember()
  }

  // The group

  fetch(max: number): void {
    const { member } = this
    if (member.frozen) return
    const records = this.origin.read(member.position, max)
    if (records.length === 0) return
    member.engine.ingest(records, this.origin.high)
    member.position = records.at(-1)!.offset + 1n
  }

  commit(): void {
    if (this.member.frozen) return
    for (const { assignment, next } of this.member.engine.committable()) {
      assignment.committed = next
      this.#committed = next
    }
    const { highestFinished } = this.member
    if (highestFinished !== null && highestFinished > this.#committed) this.#committed = highestFinished
  }

  get committed(): bigint {
    return this.#committed
  }

  heartbeat(): void {
    if (!this.member.frozen) this.member.membership.confirmed()
  }

  rejoin(): void {
    if (!this.member.frozen) this.member.join(this.#committed)
  }

  crash(landsInMs?: number): void {
    const { member } = this
    member.die()
    this.calls = this.calls.filter((call) => call.member !== member)
    for (const request of this.requests.filter((pending) => pending.member === member))
      this.#loseAnswer(request, landsInMs)
    this.#replace()
  }

  /** It is replaced once its session has ended, and does not know. */
  freeze(): void {
    const { member } = this
    member.frozen = true
    this.zombies.push(member)
    this.pass(SESSION_MS)
    this.#replace()
  }

  thaw(): void {
    const zombie = this.zombies.find(({ frozen }) => frozen)
    if (zombie) zombie.frozen = false
  }

  /** A replaced member hears of it. */
  revokeZombie(): void {
    const zombie = this.zombies.find(({ frozen }) => !frozen)
    if (!zombie) return
    zombie.engine.revoked()
    this.#bury(zombie)
  }

  buryZombies(): void {
    for (const zombie of this.zombies) this.#bury(zombie)
  }

  // The ledger and the dead letters

  /** Carries out the next call of a member that runs. */
  answerCall(): void {
    const call = this.calls.find(({ member }) => !member.frozen)
    if (!call) return
    this.calls.splice(this.calls.indexOf(call), 1)
    if (!this.faults || !this.random.chance(this.#lossyCalls)) {
      call.resolve(call.carryOut())
      return
    }
    const fate = this.random.upTo(2)
    if (fate === 0) call.carryOut()
    else if (fate === 1) this.#lateCommands.push(() => call.carryOut())
    call.reject(cutOff())
    this.#reconnect(call.member)
  }

  /** A command of a connection that was given up is carried out after all. */
  landCommand(): void {
    this.#lateCommands.shift()?.()
  }

  /** A letter that is tried on by itself, as soon as its time has come. */
  tryLetterAgain(): void {
    const due = [...this.#letters.values()].filter(
      ({ nextTryAtMs }) => nextTryAtMs !== null && nextTryAtMs <= Date.now(),
    )
    if (due.length > 0) this.#bringBack(this.random.pick(due), false)
  }

  /** Someone replays a letter, perhaps one that has been replaced or ended since. */
  replayLetter(letter?: number): void {
    if (this.#lettersWritten.length === 0) return
    const chosen = letter === undefined ? this.random.pick(this.#lettersWritten) : this.#lettersWritten[letter]!
    this.#bringBack(chosen, true)
  }

  replayAll(): void {
    for (const letter of this.#letters.values()) this.#bringBack(letter, true)
  }

  #bringBack(letter: Letter, isReplay: boolean): void {
    const { member } = this
    const assignment = member.engine.assignmentOf(SCOPE.entity, SCOPE.partition)
    if (member.frozen || !assignment) return
    this.#note(`${letter.key} letter ${letter.version} comes back`)
    const { comingBack } = member
    const record = broughtBack(letter, isReplay, () => comingBack.delete(letter))
    comingBack.add(letter)
    member.engine.offer(assignment, record)
  }

  saveLedger(): void {
    this.#saved = new Map(this.ledger.store)
  }

  /** Redis starts again without what it held since it was last saved, or without anything. */
  restartLedger(flushed = this.random.chance(0.2)): void {
    if (this.faults && !this.#restarts) return
    this.restarts++
    this.#note('the ledger starts again')
    this.ledger.restart(String(this.restarts + 1).padStart(8, '0'), flushed ? new Map() : this.#saved)
    this.#lateCommands = []
    for (const member of [this.member, ...this.zombies]) this.#reconnect(member)
  }

  #reconnect(member: Member): void {
    member.connection++
    const lost = this.calls.filter((call) => call.member === member)
    this.calls = this.calls.filter((call) => call.member !== member)
    for (const call of lost) call.reject(cutOff())
  }

  // The destination

  answerRequest(): void {
    const request = this.requests.find(({ member }) => !member.frozen)
    if (!request) return
    if (this.faults && this.random.chance(this.#lossyAnswers)) this.#loseAnswer(request)
    else if (this.faults && this.random.chance(this.#otherAnswers))
      this.#close(request, () => {
        if (this.random.chance(0.5)) request.answer(request.patches.map(() => UNAVAILABLE))
        else request.refuse(new BatchRefused('refused', 'as told'))
      })
    else this.#answer(request)
  }

  /** The next request is answered so, whatever is in it. */
  answerWith(outcome: Outcome): void {
    const request = this.requests.find(({ member }) => !member.frozen)!
    this.#close(request, () => request.answer(request.patches.map(() => outcome)))
  }

  /** The next request gets no answer; it lands so much later, or at once. */
  loseRequest(landsInMs: number): void {
    this.#loseAnswer(this.requests[0]!, landsInMs)
  }

  /** Every object that someone took away from the subscriber gets a new value: the next change has to bring it back whole. */
  repair(): void {
    for (const key of this.#vandalised) this.origin.touch(key)
  }

  /** Someone deletes an object at the subscriber. */
  vandalise(): void {
    const key = this.origin.someKey()
    if (!this.subscriber.objects.get(key)?.fields) return
    this.subscriber.objects.delete(key)
    this.#vandalised.add(key)
  }

  #answer(request: Request): void {
    this.#close(request, () =>
      request.answer(
        request.patches.map((patch, at): Outcome => {
          if (this.faults && patch.kind === 'upsert' && this.random.chance(this.#otherAnswers))
            return this.#note(`${patch.key} ${textOf(patch)}`, this.random.pick(OTHERS))
          return this.#carryOut(patch, request.conditions[at]!)
        }),
      ),
    )
  }

  #carryOut(patch: Patch, condition: Condition): Outcome {
    return this.#note(`${patch.key} ${textOf(patch)}`, this.subscriber.carryOut(patch, condition))
  }

  /** It is carried out now, later or never, and nobody hears of it. */
  #loseAnswer(request: Request, landsInMs?: number): void {
    this.#close(request, () => {
      const carryOut = () => {
        for (const [at, patch] of request.patches.entries()) this.#carryOut(patch, request.conditions[at]!)
      }
      const when = landsInMs === undefined ? this.random.upTo(3) : landsInMs === 0 ? 0 : 4
      const latest = request.sentAtMs + this.#lateMs - Date.now()
      if (when === 0) carryOut()
      else if (landsInMs !== undefined) this.#late.push({ atMs: Date.now() + landsInMs, carryOut })
      else if (when < 3 && latest > 0) this.#late.push({ atMs: Date.now() + this.random.upTo(latest - 1), carryOut })
      const outcome = this.flaws.unknownIsCertain ? UNAVAILABLE : UNKNOWN
      request.answer(request.patches.map(() => outcome))
    })
  }

  #close(request: Request, then: () => void): void {
    this.requests.splice(this.requests.indexOf(request), 1)
    then()
  }

  // Time

  pass(ms: number): void {
    const end = Date.now() + ms
    for (;;) {
      this.#late.sort((a, b) => a.atMs - b.atMs)
      const first = this.#late[0]
      if (!first || first.atMs > end) break
      this.#clock.advance(Math.max(0, first.atMs - Date.now()))
      this.#late.shift()
      first.carryOut()
    }
    this.#clock.advance(end - Date.now())
    // The client gives up at half the time after which nothing can land.
    for (const request of [...this.requests])
      if (Date.now() - request.sentAtMs >= LATE_MS / 2) this.#loseAnswer(request)
  }

  // The end

  /** Whether the member has finished all that is on the topic. */
  get idle(): boolean {
    const { member } = this
    const finished = [...member.engine.assignments].every(({ offsets, lanes }) => offsets.size + lanes.waiting === 0)
    const fetched = this.origin.read(member.position, 1).length === 0
    return (
      finished &&
      fetched &&
      member.comingBack.size === 0 &&
      ![...this.calls, ...this.requests].some((pending) => pending.member === member)
    )
  }

  get quiet(): boolean {
    return this.idle && this.origin.published && this.calls.length + this.requests.length === 0
  }

  /** Keys whose mapped fields differ and whose newest change is not a dead letter either. */
  differences(): string[] {
    return KEYS.flatMap((key) => {
      const wanted = this.origin.rows.get(key) ?? null
      const held = this.subscriber.objects.get(key)?.fields ?? null
      const same =
        wanted === null || held === null
          ? wanted === held
          : FIELDS.every((field) => wanted[field] === held[`to_${field}`])
      if (same) return []
      const newest = this.origin.newestOf(key)
      if (newest && this.#letters.get(key)?.version === formatVersion(newest)) return []
      if (process.env.TRAIL)
        console.log(this.trail.filter((line) => !/^\d+ [xyz] /.test(line) || line.includes(` ${key} `)).join('\n'))
      return [`${key}: wanted ${JSON.stringify(wanted)} and found ${JSON.stringify(held)}`]
    })
  }

  /** The open dead letters: none may be left once all were replayed. */
  letters(): string[] {
    return [...this.#letters].map(([key, { version }]) => `${key}: a dead letter of ${version} is left`)
  }

  #newMember(): Member {
    // As ops/process/delivery.ts has it.
    const endsDoubt =
      this.compares === 'versions' || (this.compares === 'tags' && this.flaws.deletesCountAsKept === true)
    const member = new Member({
      compares: this.compares,
      flaws: this.flaws,
      conditionOf: (patch) => this.subscriber.conditionOf(patch),
      hasFailing: () => this.ledger.hasFailing(),
      call: (call) => this.calls.push(call),
      request: (request) => {
        if (this.flaws.recordsFirst) this.#recordFirst(request.patches)
        this.requests.push(request)
      },
      owns: (scope, token) => this.ledger.owns(scope, token),
      claim: (scope, token) => {
        this.#note(`${token} claims`)
        this.ledger.claim(scope, token, Date.now())
      },
      gate: (scope, token, requests) => {
        const answers = this.ledger.gate(scope, token, LATE_MS, requests, Date.now())
        for (const [index, { key, version }] of requests.entries())
          this.#note(
            `${key} ${token} gate ${version.slice(16, 32)}: ${answers === 'fenced' ? answers : answers[index]?.slice(0, 19)}`,
          )
        return answers
      },
      settle: (scope, token, requests) => {
        const answers = this.ledger.settle(scope, token, endsDoubt, requests, Date.now())
        for (const [index, { key, version, result, full }] of requests.entries())
          this.#note(
            `${key} ${token} settle ${version.slice(16, 32)} ${result}${full ? ' full' : ''}: ${answers === 'fenced' ? answers : answers[index]}`,
          )
        return answers
      },
      deadLetters: (records) => this.#writeDeadLetters(records),
      failed: (error) => this.failures.push(error),
    })
    member.join(this.#committed)
    return member
  }

  #note(what: string): void
  #note(what: string, outcome: Outcome): Outcome
  #note(what: string, outcome?: Outcome): Outcome | undefined {
    this.trail.push(`${Date.now() % 1_000_000} ${what}${outcome ? `: ${outcome.kind}` : ''}`)
    return outcome
  }

  #replace(): void {
    this.#note('a new member')
    this.member = this.#newMember()
  }

  #bury(zombie: Member): void {
    zombie.die()
    this.zombies = this.zombies.filter((other) => other !== zombie)
    this.calls = this.calls.filter(({ member }) => member !== zombie)
    for (const request of this.requests.filter(({ member }) => member === zombie)) this.#loseAnswer(request)
  }

  #writeDeadLetters(records: readonly OutgoingRecord[]): void {
    for (const record of records) {
      const letter = letterOf(record, (offset, key) => this.origin.versionAt(offset, key))
      this.#note(`${letter.key} letter ${letter.version ?? 'ended'}`)
      if (letter.version === null) this.#letters.delete(letter.key)
      else {
        this.#letters.set(letter.key, letter)
        this.#lettersWritten.push(letter)
      }
    }
  }

  #recordFirst(patches: Request['patches']): void {
    for (const patch of patches) {
      const prints = new Map(unpackFingerprints(this.ledger.printsOf(SCOPE, patch.key)))
      if (patch.kind === 'upsert')
        for (const { to } of MAPPING.fields)
          if (to in patch.fields) prints.set(FINGERPRINTER.idOf(to), FINGERPRINTER.fingerprint(to, patch.fields[to]!))
      const packed = patch.kind === 'upsert' ? packFingerprints(prints) : ''
      this.ledger.writeEarly(SCOPE, patch.key, packVersion(patch.version), patch.kind === 'upsert' ? 'l' : 'd', packed)
    }
  }
}

function textOf(patch: Patch): string {
  const fields = patch.kind === 'upsert' ? JSON.stringify(patch.fields) : 'delete'
  return `${patch.version.position} ${fields}${patch.kind === 'upsert' && patch.full ? ' full' : ''}`
}

const UNAVAILABLE: Outcome = { kind: 'unavailable', error: new Error('as told') }
/** What a destination may say of a record instead of taking it. */
const OTHERS: readonly Outcome[] = [
  { kind: 'rejected', code: 'refused', reason: 'as told' },
  { kind: 'conflict' },
  { kind: 'absent' },
  { kind: 'blocked', by: '', code: 'blocked', reason: 'as told' },
  { kind: 'blocked', by: MAPPING.target, code: 'blocked', reason: 'as told' },
  { kind: 'throttled', afterMs: 50 },
  { kind: 'unavailable', error: new Error('as told') },
]
const UNKNOWN: Outcome = { kind: 'unknown', error: new Error('as told') }
