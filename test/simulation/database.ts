import type { SourceEvent } from '../../connectors/source.ts'
import type { Provenance } from '../../schemas/delta.ts'
import { TributaryError } from '../../schemas/errors.ts'
import { SNAPSHOT_ORDINAL, type Version } from '../../schemas/version.ts'
import { FIELDS, KEYS } from '../consumers/simulation/origin.ts'
import type { Random } from '../consumers/simulation/random.ts'
import type { Flaws } from './flaws.ts'

export const ENTITY = 'customer'
/** A value that no record can take. */
export const UNENCODABLE = 'unencodable'

export type Row = Readonly<Record<string, string>>

export interface LoggedChange {
  readonly key: string
  readonly ordinal: number
  readonly after: Row | null
  readonly isNew: boolean
  /** Fields that the log does not hold, because the statement did not touch them. */
  readonly missing: readonly string[]
}

export interface Transaction {
  readonly position: bigint
  readonly changes: readonly LoggedChange[]
}

/** One connection that reads from the slot. */
export interface Session {
  alive: boolean
  /** Where it goes on: a transaction of the log, and a change in it. */
  transaction: number
  change: number
}

export interface NewSlot {
  readonly generation: number
  readonly point: bigint
  readonly rows: ReadonlyMap<string, Row | null>
}

/** A source: rows, the log of what was committed, and one slot on it that one session at a time reads from. */
export class Database {
  readonly rows = new Map<string, Row | null>()
  readonly log: Transaction[] = []
  readonly keys: readonly string[]
  readonly slot: { generation: number; confirmed: bigint; holder: Session | null } = {
    generation: 1,
    confirmed: 0n,
    holder: null,
  }
  /** Called before a confirmation takes effect. */
  onConfirmed: (session: Session | null, position: bigint) => void = () => {}
  readonly #random: Random
  readonly #flaws: Flaws
  readonly #missing: number
  readonly #bad: number
  #position = 10n

  constructor(random: Random, flaws: Flaws) {
    this.#random = random
    this.#flaws = flaws
    this.keys = KEYS.slice(random.upTo(KEYS.length - 1))
    this.#missing = random.pick([0, 0, 0.3])
    this.#bad = random.pick([0, 0, 0.1])
  }

  // Writers

  /** A transaction of a few random changes. */
  write(): void {
    const random = this.#random
    const value = () => (random.chance(this.#bad) ? UNENCODABLE : String(random.upTo(1)))
    const changes: [string, Row | null][] = []
    for (let count = random.pick([1, 1, 1, 2, 3, 6]); count > 0; count--) {
      const key = random.pick(this.keys)
      const found = changes.findLast(([changed]) => changed === key)
      const before = found ? found[1] : this.rows.get(key)
      if (before && random.chance(0.15)) changes.push([key, null])
      else if (before) changes.push([key, { ...before, [random.pick(FIELDS)]: value() }])
      else changes.push([key, Object.fromEntries(FIELDS.map((field) => [field, value()]))])
    }
    this.commit(changes)
  }

  commit(changes: readonly (readonly [string, Row | null])[]): void {
    this.#position += BigInt(1 + this.#random.upTo(2))
    const logged = changes.map(([key, after], ordinal): LoggedChange => {
      const before = this.rows.get(key) ?? null
      this.rows.set(key, after)
      const untouched = before && after ? FIELDS.filter((field) => before[field] === after[field]) : []
      const missing = untouched.length > 0 && this.#random.chance(this.#missing) ? untouched.slice(-1) : []
      return { key, ordinal, after, isNew: before === null, missing }
    })
    this.log.push({ position: this.#position, changes: logged })
  }

  /** The keys of rows that hold what no record can take. */
  get unencodable(): readonly string[] {
    return [...this.rows].flatMap(([key, row]) => (row && Object.values(row).includes(UNENCODABLE) ? [key] : []))
  }

  correct(): void {
    for (const key of this.unencodable) {
      const good = Object.entries(this.rows.get(key)!).map(([field, value]) => [
        field,
        value === UNENCODABLE ? 'good' : value,
      ])
      this.commit([[key, Object.fromEntries(good)]])
    }
  }

  // The slot

  /** A row is as it was once, and no log tells. */
  setBack(key: string, row: Row): void {
    this.rows.set(key, row)
  }

  get position(): bigint {
    return this.#position
  }

  acquire(): Session {
    if (this.slot.holder) throw unreachable()
    const session = { alive: true, transaction: 0, change: 0 }
    this.slot.holder = session
    return session
  }

  end(session: Session | null): void {
    if (!session) return
    session.alive = false
    if (this.slot.holder === session) this.slot.holder = null
  }

  /** Someone drops the slot: what was not confirmed can not be read any more. */
  loseSlot(): void {
    this.end(this.slot.holder)
    this.slot.generation++
    this.slot.confirmed = this.#position
  }

  /** A slot of its own for a new history, and the rows as of its beginning. */
  newSlot(session: Session): NewSlot {
    requireAlive(session)
    this.slot.generation++
    this.slot.confirmed = this.#position
    return { generation: this.slot.generation, point: this.#position, rows: new Map(this.rows) }
  }

  /** A session says that everything up to a position may be forgotten. */
  confirm(session: Session | null, position: bigint): void {
    this.onConfirmed(session, position)
    if (session?.alive && position > this.slot.confirmed) this.slot.confirmed = position
  }

  /** What is behind `position`, or behind what was confirmed, is sent from now on. */
  startBehind(session: Session, position: bigint): void {
    const from = position > this.slot.confirmed ? position : this.slot.confirmed
    const first = this.log.findIndex((transaction) => transaction.position > from)
    session.transaction = first < 0 ? this.log.length : first
    session.change = 0
  }

  hasMore(session: Session): boolean {
    return session.transaction < this.log.length
  }

  /** The next events, which may end within a transaction. */
  read(session: Session, epoch: bigint, max: number): SourceEvent[] {
    requireAlive(session)
    const events: SourceEvent[] = []
    while (events.length < max && this.hasMore(session)) {
      const { position, changes } = this.log[session.transaction]!
      const change = changes[session.change]
      if (change) {
        session.change++
        if (change.after !== null || !this.#flaws.deletesIgnored) events.push(this.#eventOf(position, change, epoch))
        continue
      }
      events.push({ kind: 'progress', position })
      session.transaction++
      session.change = 0
      if (this.#flaws.acknowledgesReceived) this.confirm(session, position)
    }
    return events
  }

  #eventOf(position: bigint, change: LoggedChange, epoch: bigint): SourceEvent {
    const { key, ordinal, after, missing, isNew } = change
    const version = { epoch, position, ordinal: this.#flaws.versionByPositionAlone ? 0 : ordinal }
    if (after === null) return deletion(key, version)
    const lacking = this.#flaws.neverHydrates ? [] : missing
    const sent = Object.fromEntries(Object.entries(after).filter(([field]) => !missing.includes(field)))
    return upsert(key, version, isNew ? 'create' : 'update', sent, lacking)
  }
}

export function upsert(
  key: string,
  version: Version,
  op: 'create' | 'update' | 'snapshot',
  row: Row,
  missing: readonly string[] = [],
): SourceEvent {
  const source = provenanceOf(version)
  const field = Object.keys(row).find((name) => row[name] === UNENCODABLE)
  if (field !== undefined)
    return { kind: 'unencodable', entity: ENTITY, key, version, source, field, reason: 'no record can take it' }
  const head = { entity: ENTITY, key, version, source, origin: null }
  return { kind: 'change', missing, change: { ...head, op, changed: null, after: { id: key, ...row }, claims: {} } }
}

export function deletion(key: string, version: Version): SourceEvent {
  const change = { op: 'delete', entity: ENTITY, key, version, source: provenanceOf(version), origin: null } as const
  return { kind: 'change', missing: [], change }
}

export function snapshotVersion(epoch: bigint, point: bigint): Version {
  return { epoch, position: point, ordinal: SNAPSHOT_ORDINAL }
}

function provenanceOf({ position }: Version): Provenance {
  return {
    system: 'postgres',
    instance: 'erp',
    object: 'public.customers',
    position: String(position),
    transaction: null,
    committedAt: position,
    capturedAt: position,
  }
}

function requireAlive({ alive }: Session): void {
  if (!alive) throw unreachable()
}

export function unreachable(): TributaryError {
  return new TributaryError('source-unreachable', 'the connection to the source was cut')
}
