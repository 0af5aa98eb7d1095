import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Lanes, type Waiting } from '../../../consumers/lanes/lanes.ts'
import { NO_TRIALS } from '../../../consumers/lanes/trials.ts'
import { compareVersions, type Version } from '../../../schemas/version.ts'

interface Arrival {
  readonly key: string
  readonly version: Version
  readonly isDelete: boolean
}

/** Records of two keys as they come: any order, and some more than once. Of one version there is one record. */
const arrivals: fc.Arbitrary<readonly Arrival[]> = fc
  .uniqueArray(
    fc.record({
      key: fc.constantFrom('a', 'b'),
      version: fc.record({
        epoch: fc.bigInt({ min: 1n, max: 2n }),
        position: fc.bigInt({ min: 0n, max: 9n }),
        ordinal: fc.integer({ min: -1, max: 2 }),
      }),
      isDelete: fc.nat({ max: 4 }).map((one) => one === 0),
    }),
    {
      minLength: 1,
      maxLength: 20,
      selector: ({ key, version }) => `${key}/${version.epoch}/${version.position}/${version.ordinal}`,
    },
  )
  .chain((some) => fc.array(fc.constantFrom(...some), { minLength: 1, maxLength: 60 }))

function waitingOf({ key, version, isDelete }: Arrival, ticket: number): Waiting {
  return {
    key,
    version,
    value: isDelete ? null : Buffer.from([ticket]),
    headers: {},
    offset: BigInt(ticket),
    tickets: [ticket],
    trials: NO_TRIALS,
    replays: null,
    onSettled: [],
  }
}

function newestOf(versions: readonly Version[]): Version {
  return versions.reduce((one, other) => (compareVersions(other, one) > 0 ? other : one))
}

test('a run of changes becomes its newest, in whatever order and however often they came, and no delete is lost in one', () => {
  fc.assert(
    fc.property(arrivals, (came) => {
      const lanes = new Lanes()
      for (const [ticket, arrival] of came.entries()) lanes.add(waitingOf(arrival, ticket))
      const taken: Waiting[] = []
      while (lanes.readyKeys > 0)
        for (const one of lanes.take(10)) {
          taken.push(one)
          lanes.release(one.key)
        }
      for (const key of ['a', 'b']) {
        // What should come out, told apart from the lanes: deletes as they came, and between two of them the newest.
        const expected: { version: Version; tickets: number[]; isDelete: boolean }[] = []
        for (const [ticket, { key: of, version, isDelete }] of came.entries()) {
          if (of !== key) continue
          const run = expected.at(-1)
          if (isDelete || !run || run.isDelete) expected.push({ version, tickets: [ticket], isDelete })
          else {
            run.tickets.push(ticket)
            run.version = newestOf([run.version, version])
          }
        }
        const found = taken
          .filter((one) => one.key === key)
          .map(({ version, tickets, value }) => ({
            version,
            tickets: tickets.toSorted((one, other) => one - other),
            isDelete: value === null,
          }))
        expect(found).toEqual(expected)
      }
    }),
    { numRuns: 500 },
  )
})

test('what stands for others is never older than one of them, nor holds the value of another, whatever is tried again between', () => {
  const step = fc.constantFrom('add', 'add', 'take', 'put back', 'release')
  fc.assert(
    fc.property(arrivals, fc.infiniteStream(step), (came, steps) => {
      const lanes = new Lanes()
      const finished: number[] = []
      const busy: Waiting[] = []
      const check = (one: Waiting) => {
        const versions = one.tickets.map((ticket) => came[ticket]!.version)
        expect(compareVersions(one.version, newestOf(versions))).toBe(0)
        if (one.value !== null) expect(came[one.value[0]!]!.version).toEqual(one.version)
        else expect(one.tickets).toHaveLength(1)
      }
      let next = 0
      for (let round = 0; round < 200; round++) {
        const what = steps.next().value as string
        if (what === 'add' && next < came.length) lanes.add(waitingOf(came[next]!, next++))
        else if (what === 'take') {
          for (const one of lanes.take(1)) {
            check(one)
            busy.push(one)
          }
        } else if (busy.length > 0) {
          const one = busy.shift()!
          if (what === 'put back') lanes.putBack(one, 0)
          else {
            finished.push(...one.tickets)
            lanes.release(one.key)
          }
        }
      }
      for (; next < came.length; next++) lanes.add(waitingOf(came[next]!, next))
      for (let rounds = 0; busy.length > 0 || lanes.readyKeys > 0; rounds++) {
        expect(rounds).toBeLessThan(200)
        busy.push(...lanes.take(10))
        const one = busy.shift()!
        check(one)
        finished.push(...one.tickets)
        lanes.release(one.key)
      }
      expect(finished.toSorted((one, other) => one - other)).toEqual(came.map((_, ticket) => ticket))
    }),
    { numRuns: 300 },
  )
})
