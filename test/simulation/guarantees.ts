import { packVersion } from '../../consumers/ledger/entry.ts'
import { clearedVersion, parseDeadLetter } from '../../producers/capture-dead-letter.ts'
import { recordVersion } from '../../schemas/record-head.ts'
import { compareVersions, formatVersion, SNAPSHOT_ORDINAL, type Version } from '../../schemas/version.ts'
import { sampleDecoder } from '../consumers/fixtures.ts'
import { FIELDS } from '../consumers/simulation/origin.ts'
import type { World } from '../consumers/simulation/world.ts'
import type { Topic } from './broker.ts'
import { LETTERS, RECORDS, storedIn } from './capture-process.ts'
import { ENTITY, type Session } from './database.ts'
import type { Upstream } from './upstream.ts'

const decoder = sampleDecoder()

/** The newest place in the source's log that a topic has ever had of each key, whatever the epoch. */
class Reached {
  readonly #topic: Topic
  readonly #versionOf: (record: Topic['history'][number]) => readonly [string, Version] | undefined
  readonly #newest = new Map<string, Version>()
  #seen = 0

  constructor(topic: Topic, versionOf: (record: Topic['history'][number]) => readonly [string, Version] | undefined) {
    this.#topic = topic
    this.#versionOf = versionOf
  }

  of(key: string): Version | undefined {
    for (; this.#seen < this.#topic.history.length; this.#seen++) {
      const found = this.#versionOf(this.#topic.history[this.#seen]!)
      if (found && !isAtLeast(this.#newest.get(found[0]), found[1])) this.#newest.set(...found)
    }
    return this.#newest.get(key)
  }
}

/** Whether a place in the log is not before another. A snapshot holds every change up to its point. */
function isAtLeast(reached: Version | undefined, wanted: Version): boolean {
  if (!reached) return false
  if (reached.position !== wanted.position) return reached.position > wanted.position
  if (reached.ordinal === SNAPSHOT_ORDINAL) return true
  return wanted.ordinal !== SNAPSHOT_ORDINAL && reached.ordinal >= wanted.ordinal
}

/** Looks at everything from outside while a schedule runs, and writes down what is against a guarantee. */
export class Watch {
  readonly violations: string[] = []
  readonly #world: World<Upstream>
  readonly #published: Reached
  readonly #letters: Reached
  /** The newest version of each key, packed, that the engine has settled in whatever way. */
  readonly #finished = new Map<string, string>()
  #checkedUpTo = 0n

  constructor(world: World<Upstream>) {
    const upstream = world.origin
    this.#world = world
    this.#published = new Reached(upstream.topic, ({ key, value, headers }) => {
      const version = recordVersion(value, headers)
      return version && ([`${key}`, version] as const)
    })
    this.#letters = new Reached(upstream.broker.topic(LETTERS), ({ key, value, headers }) => {
      const version = value === null ? clearedVersion(headers) : parseDeadLetter(value)?.version
      return version && ([`${key}`.slice(`${key}`.indexOf('/') + 1), version] as const)
    })
    upstream.database.onConfirmed = (session, position) => this.#acknowledged(session, position)
    this.#watchSubscriber()
    this.#watchLedger()
  }

  #violated(guarantee: string, what: string): void {
    this.violations.push(`${guarantee}: ${what}`)
  }

  /** G7: Kafka has everything up to the position, and the position itself. */
  #acknowledged(session: Session | null, position: bigint): void {
    const { database, broker } = this.#world.origin
    const stored = storedIn(broker).position?.position ?? 0n
    if (session?.alive && stored < position) this.#violated('G7', `acknowledged ${position}, and ${stored} is stored`)
    for (const key of database.keys) this.#requireKept(key, position)
  }

  #requireKept(key: string, position: bigint): void {
    const { database } = this.#world.origin
    const at = database.log.findLastIndex(
      (one) => one.position <= position && one.changes.some((change) => change.key === key),
    )
    const found = database.log[at]?.changes.findLast((change) => change.key === key)
    if (!found) return
    const wanted = { epoch: 1n, position: database.log[at]!.position, ordinal: found.ordinal }
    const published = this.#published.of(key)
    if (isAtLeast(published, wanted) || isAtLeast(this.#letters.of(key), wanted)) return
    // What went away while no slot was there, and the topic does not have.
    if (found.after === null && this.#world.origin.topic.last().get(key)?.value == null) return
    // A row that was to be read and is gone: its delete is on the way.
    if (found.missing.length > 0 && this.#isDeletedBehind(key, at)) return
    this.#violated('G7', `acknowledged ${position}, and ${key} ${formatVersion(wanted)} is nowhere`)
  }

  #isDeletedBehind(key: string, at: number): boolean {
    const { log } = this.#world.origin.database
    return log.slice(at + 1).some(({ changes }) => changes.some((one) => one.key === key && one.after === null))
  }

  /**
   * G3: what compares takes nothing older over something newer. A tag compares only with what the ledger knows: where it knows nothing
   * for sure, the patch has none, and records that are read again can pass through older states on their way to the newest.
   */
  #watchSubscriber(): void {
    const { subscriber, compares, flaws } = this.#world
    const carryOut = subscriber.carryOut.bind(subscriber)
    const comparesVersions = compares === 'versions' || flaws.neverHolds === true
    subscriber.carryOut = (patch, condition) => {
      const held = subscriber.objects.get(patch.key)
      const outcome = carryOut(patch, condition)
      const isCompared = comparesVersions || (compares === 'tags' && patch.tag !== null && held?.fields != null)
      if (isCompared && outcome.kind === 'applied' && held && compareVersions(held.version, patch.version) > 0)
        this.#violated('G3', `${patch.key} ${formatVersion(patch.version)} over ${formatVersion(held.version)}`)
      return outcome
    }
  }

  #watchLedger(): void {
    const { ledger } = this.#world
    const settle = ledger.settle.bind(ledger)
    ledger.settle = (scope, token, compares, requests, now) => {
      const answers = settle(scope, token, compares, requests, now)
      if (answers === 'fenced') return answers
      for (const [at, { key, version, result }] of requests.entries())
        if (answers[at] === 'settled' && result !== 'failed' && (this.#finished.get(key) ?? '') < version)
          this.#finished.set(key, version)
      return answers
    }
  }

  /** G6: to be called after each commit. */
  committed(): void {
    const { committed, origin } = this.#world
    for (const { key, offset, value, headers } of origin.topic.records) {
      if (offset < this.#checkedUpTo || offset >= committed) continue
      const version = recordVersion(value, headers)
      if (version && (this.#finished.get(`${key}`) ?? '') < packVersion(version))
        this.#violated('G6', `committed ${committed}, and ${key} ${formatVersion(version)} at ${offset} is unfinished`)
    }
    if (committed > this.#checkedUpTo) this.#checkedUpTo = committed
  }

  /** G5, to be called when all is quiet: a row that no record can take is among the capture dead letters. */
  requireLetters(): void {
    const { database, broker } = this.#world.origin
    const last = broker.topic(LETTERS).last()
    for (const key of database.unencodable)
      if (last.get(`${ENTITY}/${key}`)?.value == null) this.#violated('G5', `${key} has no capture dead letter`)
  }

  /** G1, to be called when all is quiet: the last record of each key is its newest version, and says what the source has. */
  async atRest(): Promise<void> {
    const { database, topic, broker } = this.#world.origin
    const last = topic.last()
    for (const key of database.keys) {
      const record = last.get(key)
      const row = database.rows.get(key) ?? null
      if (!record) {
        if (row) this.#violated('G1', `${key} is not on the topic`)
        continue
      }
      const version = recordVersion(record.value, record.headers)!
      for (const { key: other, value, headers } of topic.history) {
        const earlier = `${other}` === key && recordVersion(value, headers)
        if (earlier && compareVersions(earlier, version) > 0)
          this.#violated('G1', `${key} ends with ${formatVersion(version)}, behind ${formatVersion(earlier)}`)
      }
      const after = record.value && (await decoder.decode(`${RECORDS}-value`, key, record.value)).after
      const same = row && after ? FIELDS.every((field) => row[field] === after[field]) : row === null && after === null
      if (!same) this.#violated('G1', `${key} ends with ${formatVersion(version)}, which is not what the source has`)
    }
    // That of a row which went away while no slot was there stays until someone replays it.
    for (const [key, { value }] of broker.topic(LETTERS).last())
      if (value !== null && database.rows.get(key.slice(key.indexOf('/') + 1)))
        this.#violated('G5', `the capture dead letter of ${key} is left`)
  }
}
