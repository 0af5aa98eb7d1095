import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Lanes, type Waiting } from '../../../consumers/lanes/lanes.ts'
import { NO_TRIALS } from '../../../consumers/lanes/trials.ts'

let ticket = 0
function record(key: string, position: bigint, value: Buffer | null = Buffer.from(`${key}@${position}`)): Waiting {
  return {
    key,
    version: { epoch: 1n, position, ordinal: 0 },
    value,
    headers: {},
    offset: position,
    tickets: [ticket++],
    trials: NO_TRIALS,
    replays: null,
    onSettled: [],
  }
}

describe('a lane', () => {
  test('gives out one record of a key at a time', () => {
    const lanes = new Lanes()
    lanes.add(record('a', 1n))
    expect(lanes.take(10)).toHaveLength(1)
    lanes.add(record('a', 2n))
    expect(lanes.take(10)).toHaveLength(0)
    lanes.release('a')
    expect(lanes.take(10).map(({ version }) => version.position)).toEqual([2n])
  })

  test('makes one of waiting records by version, not by arrival', () => {
    const lanes = new Lanes()
    lanes.add(record('a', 7n))
    expect(lanes.add(record('a', 3n))).toBe(true)
    const [taken] = lanes.take(10)
    expect(taken!.version.position).toBe(7n)
    expect(taken!.value!.toString()).toBe('a@7')
    expect(taken!.tickets).toHaveLength(2)
  })

  test('never makes one across a delete', () => {
    const lanes = new Lanes()
    for (const one of [record('a', 1n), record('a', 2n, null), record('a', 3n)]) expect(lanes.add(one)).toBe(false)
    const positions = []
    for (let round = 0; round < 3; round++) {
      positions.push(lanes.take(10)[0]!.version.position)
      lanes.release('a')
    }
    expect(positions).toEqual([1n, 2n, 3n])
  })

  test('lets other keys go on while one is busy', () => {
    const lanes = new Lanes()
    lanes.add(record('a', 1n))
    lanes.take(1)
    lanes.add(record('a', 2n))
    lanes.add(record('b', 3n))
    expect(lanes.take(10).map(({ key }) => key)).toEqual(['b'])
  })

  test('loses no ticket, keeps order per key and counts bytes exactly, whatever comes and goes', () => {
    const step = fc.oneof(
      fc.record({ add: fc.constantFrom('a', 'b', 'c'), isDelete: fc.boolean() }),
      fc.record({ take: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ release: fc.nat({ max: 2 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const lanes = new Lanes()
        const added = new Set<number>()
        const done: number[] = []
        const newest = new Map<string, bigint>()
        let busy: Waiting[] = []
        let position = 0n
        const take = (max: number) => {
          for (const taken of lanes.take(max)) {
            expect(busy.map(({ key }) => key)).not.toContain(taken.key)
            expect(taken.version.position).toBeGreaterThan(newest.get(taken.key) ?? -1n)
            newest.set(taken.key, taken.version.position)
            busy.push(taken)
          }
        }
        const release = (index: number) => {
          const one = busy[index]
          if (!one) return
          busy = busy.filter((other) => other !== one)
          done.push(...one.tickets)
          lanes.release(one.key)
        }
        for (const one of steps) {
          if ('add' in one) {
            const coming = record(one.add, ++position, one.isDelete ? null : Buffer.alloc(Number(position % 7n)))
            added.add(coming.tickets[0]!)
            lanes.add(coming)
          } else if ('take' in one) take(one.take)
          else release(one.release)
        }
        while (busy.length > 0 || lanes.readyKeys > 0) {
          take(10)
          release(0)
        }
        expect(done.toSorted((a, b) => a - b)).toEqual([...added].toSorted((a, b) => a - b))
        expect(lanes.bytes).toBe(0)
        expect(lanes.waiting).toBe(0)
      }),
    )
  })
})
