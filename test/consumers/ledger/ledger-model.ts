import type { GateRequest, Scope, SettleRequest } from '../../../consumers/ledger/ledger.ts'

/** What a negative control breaks. */
export interface LedgerFlaws {
  readonly noFence?: boolean
  readonly noMarks?: boolean
  readonly runIdIgnored?: boolean
  /** What succeeds ends the dead letter of its key, also one of a newer record. */
  readonly anyEndsLetter?: boolean
  /** A version older than what was applied is let through. */
  readonly letsOlderIn?: boolean
  /** Where versions are compared, every full patch makes its key certain, even one older than what is in flight. */
  readonly anyFullPatchEnds?: boolean
  /** A full patch ends the uncertainty when the time of a lost request is over as it is settled, whatever landed since it was sent. */
  readonly timeEnds?: boolean
}

const NONE = '-'.repeat(16)
const CERTAIN = '0'.repeat(14)
const NEVER = '0'.repeat(40)
const UNKNOWN = 'f'.repeat(40)
const NO_FAILURES = '0'.repeat(16)

interface Entry {
  version: string
  state: string
  wrote: string
  holder: string
  till: string
  dead: string
  /** The newest version that was let through; kept only while in flight or uncertain. */
  newest: string
  prints: string
}

/**
 * The three scripts of consumers/ledger in memory, with the clock given: entries have the very form that Redis holds, and the ledger's
 * own tests send both the same commands. Expiry is left out.
 */
export class LedgerModel {
  store = new Map<string, string>()
  run = '00000001'
  readonly #flaws: LedgerFlaws

  constructor(flaws: LedgerFlaws = {}) {
    this.#flaws = flaws
  }

  /** Redis starts again, with what a former state of it held. */
  restart(run: string, store: ReadonlyMap<string, string>): void {
    this.run = run
    this.store = new Map(store)
  }

  claim(scope: Scope, token: string, now: number): void {
    const owner = this.store.get(ownerKey(scope))
    const same = owner?.slice(30, 38) === this.#runOf()
    this.store.set(ownerKey(scope), token + (owner && same ? owner.slice(16, 30) : digits(now)) + this.#runOf())
  }

  gate(
    scope: Scope,
    token: string,
    lateMs: number,
    requests: readonly GateRequest[],
    now: number,
  ): 'fenced' | readonly string[] {
    const owner = this.#owner(scope, token)
    if (owner === undefined || owner.slice(30, 38) !== this.#runOf()) return 'fenced'
    const born = Number(owner.slice(16, 30))
    return requests.map(({ key, version: wanted, uncertain: asked }) => {
      const found = this.store.get(entryKey(scope, key))
      const entry = found === undefined ? missing(this.#runOf()) : parse(found)
      const lost = found === undefined ? now < born + lateMs : entry.wrote !== this.#runOf()
      const uncertain = asked || lost || (entry.holder !== NONE && entry.holder !== token)
      if (lost) entry.newest = UNKNOWN
      if (uncertain) entry.till = digits(now + lateMs)
      entry.wrote = this.#runOf()
      const isOlder = wanted < entry.version && !this.#flaws.letsOlderIn
      if (isOlder || (wanted === entry.version && entry.till === CERTAIN)) {
        if (uncertain) this.#set(scope, key, { ...entry, holder: NONE })
        return `${wanted === entry.version ? 'e' : 's'}${entry.dead === '1' ? (this.store.get(failingKey(scope, key)) ?? '') : ''}`
      }
      if (entry.till === CERTAIN || wanted > entry.newest) entry.newest = wanted
      this.#set(scope, key, { ...entry, holder: this.#flaws.noMarks ? NONE : token })
      const left = entry.till === CERTAIN ? 0 : Math.max(0, Number(entry.till) - now)
      if (this.#flaws.anyEndsLetter) entry.dead = '0'
      const failing = entry.dead === '0' ? '' : (this.store.get(failingKey(scope, key)) ?? NEVER + NO_FAILURES)
      return `g${entry.state}${entry.till === CERTAIN ? 'c' : 'u'}${digits(left)}${entry.dead}${failing}${entry.prints}`
    })
  }

  settle(
    scope: Scope,
    token: string,
    compares: boolean,
    requests: readonly SettleRequest[],
    now: number,
  ): 'fenced' | readonly ('settled' | 'again')[] {
    if (this.#owner(scope, token) === undefined) return 'fenced'
    return requests.map((request) => {
      const found = this.store.get(entryKey(scope, request.key))
      const entry = { ...(found === undefined ? missing('--------') : parse(found)), holder: NONE }
      const name = entryKey(scope, request.key)
      const hash = failingKey(scope, request.key)
      const letter = entry.dead === '0' ? NEVER : (this.store.get(hash)?.slice(0, 40) ?? NEVER)
      if (request.result === 'failed') {
        this.store.set(hash, letter + request.applied)
        if (entry.dead === '0' && found !== undefined) this.store.set(name, `${found.slice(0, 79)}f${found.slice(80)}`)
      } else if (request.result === 'newer') {
        const till = entry.till === CERTAIN ? digits(now) : entry.till
        const ends = entry.dead !== '0' && letter <= request.version
        if (ends) this.store.delete(hash)
        this.#set(scope, request.key, { ...entry, wrote: this.#runOf(), till, dead: ends ? '0' : entry.dead })
      } else if (request.result === 'dead') {
        this.#set(scope, request.key, { ...entry, dead: '1' })
        this.store.set(hash, (letter > request.version ? letter : request.version) + NO_FAILURES)
      } else if (entry.version > request.version) {
        this.#set(scope, request.key, entry)
      } else if (!request.full && (entry.wrote !== this.#runOf() || entry.state === 'n')) {
        return 'again'
      } else {
        const isNewest = request.version >= entry.newest || this.#flaws.anyFullPatchEnds === true
        const ends = compares && entry.newest !== UNKNOWN ? isNewest : request.alone
        const stays = entry.dead !== '0' && letter > request.version && !this.#flaws.anyEndsLetter
        if (stays) this.store.set(hash, letter + NO_FAILURES)
        else this.store.delete(hash)
        const certain = request.full && (ends || (this.#flaws.timeEnds === true && Number(entry.till) <= now))
        this.#set(scope, request.key, {
          version: request.version,
          state: request.state === 'live' ? 'l' : 'd',
          wrote: this.#runOf(),
          holder: NONE,
          till: certain ? CERTAIN : entry.till,
          dead: stays ? '1' : '0',
          newest: entry.newest,
          prints: request.applied,
        })
      }
      return 'settled'
    })
  }

  /** For the negative control that records first: what a settle would write, whatever is marked. */
  writeEarly(scope: Scope, key: string, version: string, state: 'l' | 'd', prints: string): void {
    this.#set(scope, key, { ...missing(this.#runOf()), version, state, prints })
  }

  owns(scope: Scope, token: string): boolean {
    return this.#owner(scope, token) !== undefined
  }

  letterDiscarded(scope: Scope, key: string): void {
    this.store.delete(failingKey(scope, key))
  }

  hasFailing(): boolean {
    return [...this.store.keys()].some((key) => key.includes(':failing:'))
  }

  printsOf(scope: Scope, key: string): string {
    const found = this.store.get(entryKey(scope, key))
    return found === undefined ? '' : parse(found).prints
  }

  #owner(scope: Scope, token: string): string | undefined {
    const owner = this.store.get(ownerKey(scope))
    return owner !== undefined && (this.#flaws.noFence || owner.slice(0, 16) === token) ? owner : undefined
  }

  #runOf(): string {
    return this.#flaws.runIdIgnored ? '00000000' : this.run
  }

  #set(scope: Scope, key: string, { version, state, wrote, holder, till, dead, newest, prints }: Entry): void {
    const kept = holder === NONE && till === CERTAIN ? '' : newest
    this.store.set(entryKey(scope, key), version + state + wrote + holder + till + dead + kept + prints)
  }
}

export function ownerKey({ subscriber, entity, partition }: Scope): string {
  return `{${subscriber}/${entity}/${partition}}:owner`
}

export function entryKey({ subscriber, entity, partition }: Scope, key: string): string {
  return `{${subscriber}/${entity}/${partition}}:key:${key}`
}

/** A field of the hash of failing keys. */
export function failingKey({ subscriber, entity, partition }: Scope, key: string): string {
  return `{${subscriber}/${entity}/${partition}}:failing:${key}`
}

function digits(ms: number): string {
  return String(ms).padStart(14, '0')
}

function missing(wrote: string): Entry {
  return { version: NEVER, state: 'n', wrote, holder: NONE, till: CERTAIN, dead: '0', newest: NEVER, prints: '' }
}

function parse(text: string): Entry {
  const version = text.slice(0, 40)
  const holder = text.slice(49, 65)
  const till = text.slice(65, 79)
  const settled = holder === NONE && till === CERTAIN
  return {
    version,
    state: text.slice(40, 41),
    wrote: text.slice(41, 49),
    holder,
    till,
    dead: text.slice(79, 80),
    newest: settled ? version : text.slice(80, 120),
    prints: text.slice(settled ? 80 : 120),
  }
}
