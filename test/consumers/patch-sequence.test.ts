import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Outcome, Patch } from '../../connectors/destination.ts'
import { packApplied, packVersion, parseAnswer } from '../../consumers/ledger/entry.ts'
import { planPatch } from '../../consumers/patch.ts'
import type { Change } from '../../schemas/delta.ts'
import { compareVersions } from '../../schemas/version.ts'
import { deleteOf, FINGERPRINTER, MAPPING, upsertOf } from './fixtures.ts'
import { type LedgerFlaws, LedgerModel } from './ledger/ledger-model.ts'
import { Subscriber } from './simulation/subscriber.ts'

const SCOPE = { subscriber: 'warehouse', entity: 'customer', partition: 0 }
const LATE_MS = 1_000
const FIELDS = ['a', 'b', 'c']

/** The history of one object: each entry a state, or its end. Few values, so that a field often comes back to what it was. */
const histories: fc.Arbitrary<readonly Change[]> = fc
  .array(
    fc.option(fc.record(Object.fromEntries(FIELDS.map((field) => [field, fc.constantFrom('0', '1', null)]))), {
      freq: 5,
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((states) =>
    states.map((state, at) => (state === null ? deleteOf('k', at + 1) : upsertOf('k', at + 1, { ...state }))),
  )

/** What happens to one delivery of a record. */
const fates: fc.Arbitrary<Delivery['fate']> = fc.constantFrom(
  'settled',
  'settled',
  'settled',
  'crash after apply',
  'crash before apply',
)

interface Delivery {
  readonly change: Change
  readonly fate: 'settled' | 'crash after apply' | 'crash before apply'
}

/** Any records of a history, in any order and as often as may be, and its newest among them or at least at the end. */
const deliveries: fc.Arbitrary<readonly Delivery[]> = histories.chain((history) =>
  fc
    .tuple(
      fc.array(fc.record({ change: fc.constantFrom(...history), fate: fates }), { maxLength: 25 }),
      fc.array(fc.constantFrom(...history), { maxLength: 3 }),
    )
    .map(([some, after]) => [
      ...some,
      { change: history.at(-1)!, fate: 'settled' as const },
      ...after.map((change) => ({ change, fate: 'settled' as const })),
    ]),
)

/** A process that delivers what comes: gate, patch, apply and settle as they are, over the model of the scripts. */
class Deliverer {
  readonly subscriber = new Subscriber('versions', false)
  readonly patches: Patch[] = []
  readonly #ledger: LedgerModel
  #owners = 0
  #token = ''

  constructor(flaws: LedgerFlaws = {}) {
    this.#ledger = new LedgerModel(flaws)
    this.restart()
  }

  restart(): void {
    this.#token = `token-${String(++this.#owners).padStart(10, '0')}`
    this.#ledger.claim(SCOPE, this.#token, 0)
  }

  deliver({ change, fate }: Delivery): void {
    let mustBeFull = false
    for (let round = 0; round < 3; round++) {
      const outcome = this.#round(change, fate, mustBeFull)
      if (outcome?.kind !== 'absent') return
      mustBeFull = true
    }
    throw new Error('a full patch did not end it')
  }

  #round(change: Change, fate: Delivery['fate'], mustBeFull: boolean): Outcome | undefined {
    const version = packVersion(change.version)
    const request = { key: change.key, version, uncertain: false }
    // Long after the ledger began: what it does not have was never sent.
    const [answer] = this.#ledger.gate(SCOPE, this.#token, LATE_MS, [request], 10 * LATE_MS) as readonly string[]
    if (answer![0] !== 'g') return undefined
    const entry = parseAnswer(answer!)
    const plan = planPatch(MAPPING, FINGERPRINTER, entry, change, mustBeFull)
    if (fate === 'crash before apply') {
      this.restart()
      return undefined
    }
    const outcome = plan.patch ? this.#apply(plan.patch) : ({ kind: 'unchanged' } as const)
    if (fate === 'crash after apply') {
      this.restart()
      return undefined
    }
    if (outcome.kind === 'absent') return outcome
    const result = outcome.kind === 'newer' ? ('newer' as const) : ('applied' as const)
    const applied = packApplied(plan.fingerprints, null, { atMs: 0, fields: 1 })
    const { full, state } = plan
    const settled = { key: change.key, version, result, full, state, alone: entry.uncertainForMs === 0, applied }
    expect(this.#ledger.settle(SCOPE, this.#token, true, [settled], 10 * LATE_MS)).toEqual(['settled'])
    return outcome
  }

  #apply(patch: Patch): Outcome {
    this.patches.push(patch)
    return this.subscriber.carryOut(patch, null)
  }

  get held() {
    return this.subscriber.objects.get('k')?.fields ?? null
  }
}

function stateOf(change: Change) {
  if (change.op === 'delete') return null
  return Object.fromEntries(FIELDS.map((field) => [`to_${field}`, change.after[field]]))
}

function endsWithNewest(flaws: LedgerFlaws = {}) {
  return fc.property(deliveries, (sequence) => {
    const deliverer = new Deliverer(flaws)
    let newest = sequence[0]!.change
    for (const delivery of sequence) {
      if (compareVersions(delivery.change.version, newest.version) > 0) newest = delivery.change
      deliverer.deliver(delivery)
    }
    expect(deliverer.held).toEqual(stateOf(newest))
  })
}

test('the newest state is what the subscriber has in the end, whatever was dropped, came twice or out of order, or crashed between', () => {
  fc.assert(endsWithNewest(), { numRuns: 2_000 })
})

test.each<[string, LedgerFlaws]>([
  ['nothing marked a key that is in flight', { noMarks: true }],
  ['older versions were let in', { letsOlderIn: true }],
])('that would not be so if %s', (_flaw, flaws) => {
  expect(fc.check(endsWithNewest(flaws), { numRuns: 5_000 }).failed).toBe(true)
})

test('a sequence without crashes sends each field only when it changes, and an older version never', () => {
  fc.assert(
    fc.property(deliveries, (sequence) => {
      const deliverer = new Deliverer()
      for (const { change } of sequence) deliverer.deliver({ change, fate: 'settled' })
      let held: Readonly<Record<string, unknown>> | null = null
      let last = 0n
      for (const patch of deliverer.patches) {
        expect(patch.version.position).toBeGreaterThan(last)
        last = patch.version.position
        if (patch.kind === 'delete') {
          held = null
          continue
        }
        expect(patch.full).toBe(held === null)
        if (held !== null)
          for (const [field, value] of Object.entries(patch.fields)) expect(held[field]).not.toBe(value)
        held = Object.assign({}, held, patch.fields)
      }
      expect(held).toEqual(deliverer.held)
    }),
    { numRuns: 1_000 },
  )
})

test('an object that someone took away comes back whole with the next change of it', () => {
  fc.assert(
    fc.property(histories, (history) => {
      const deliverer = new Deliverer()
      const newest = history.at(-1)!
      for (const change of history.slice(0, -1)) deliverer.deliver({ change, fate: 'settled' })
      const isChange = JSON.stringify(stateOf(newest)) !== JSON.stringify(deliverer.held)
      deliverer.subscriber.objects.delete('k')
      deliverer.deliver({ change: newest, fate: 'settled' })
      // Nobody notices before.
      if (isChange) expect(deliverer.held).toEqual(stateOf(newest))
    }),
    { numRuns: 500 },
  )
})

test('a full patch has every field, so that it heals whatever the subscriber had', () => {
  fc.assert(
    fc.property(histories, fc.dictionary(fc.constantFrom(...FIELDS), fc.constantFrom('x', 'y')), (history, before) => {
      const newest = history.at(-1)!
      const entry = {
        state: 'live',
        uncertain: true,
        uncertainForMs: 0,
        letter: null,
        attempts: 0,
        firstFailedAtMs: 0,
      } as const
      const { patch } = planPatch(
        MAPPING,
        FINGERPRINTER,
        { ...entry, fingerprints: new Map(), tag: null },
        newest,
        false,
      )
      const held = Object.fromEntries(Object.entries(before).map(([field, value]) => [`to_${field}`, value]))
      expect(patch!.kind === 'delete' ? null : { ...held, ...patch!.fields }).toEqual(stateOf(newest))
    }),
  )
})
