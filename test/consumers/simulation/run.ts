import { vi } from 'vitest'
import type { Flaws } from './flaws.ts'
import { LATE_MS } from './member.ts'
import { Origin } from './origin.ts'
import { type Random, randomOf } from './random.ts'
import type { Compares } from './subscriber.ts'
import { World } from './world.ts'

const STEPS_MIN = 60
const STEPS_MAX = 300
const HEALING_ROUNDS_MAX = 600

const nextLoop = setImmediate

/** Lets everything that was promised and is due now happen. */
export async function flush(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    vi.advanceTimersByTime(0)
    await new Promise((resolve) => nextLoop(resolve))
  }
}

/** Wants faked timers. */
export const CLOCK = { advance: (ms: number) => void vi.advanceTimersByTime(ms) }

export interface Schedule {
  readonly seed: number
  readonly compares: Compares
  readonly flaws?: Flaws
}

/**
 * Runs one random schedule over the real engine: faults, then healing until all is quiet. Wants faked timers.
 * @returns how source and subscriber differ after it; empty when they agree
 */
export async function runSchedule({ seed, compares, flaws = {} }: Schedule): Promise<string[]> {
  return await inWorld({ seed, compares, flaws }, async (world) => {
    const nextAction = mixtureOf(world.random)
    const steps = STEPS_MIN + world.random.upTo(STEPS_MAX - STEPS_MIN)
    for (let step = 0; step < steps; step++) {
      nextAction()(world)
      await flush()
    }
  })
}

/** Lets `happen` do its worst in a world of its own, then heals it. */
export async function inWorld(
  { seed, compares, flaws = {} }: Schedule,
  happen: (world: World) => Promise<void>,
): Promise<string[]> {
  const random = randomOf(seed)
  vi.spyOn(Math, 'random').mockImplementation(() => random.next())
  const world = new World(random, compares, flaws, CLOCK, new Origin(random))
  try {
    await happen(world)
    return await heal(world)
  } finally {
    world.member.die()
    for (const zombie of world.zombies) zombie.die()
    vi.clearAllTimers()
  }
}

type Action = (world: World) => void

/** What may happen next, and how often where all is as usual. */
const BUSINESS: readonly [number, Action][] = [
  [9, (world) => world.origin.write()],
  [10, (world) => world.origin.publish()],
  [3, (world) => world.origin.settle()],
  [10, (world) => world.fetch(1 + world.random.upTo(4))],
  [5, (world) => world.commit()],
  [50, (world) => world.answerCall()],
  [30, (world) => world.answerRequest()],
  [10, (world) => world.pass(world.random.upTo(200))],
  [3, (world) => world.heartbeat()],
  [3, (world) => world.tryLetterAgain()],
]
const FAULTS: readonly [number, Action][] = [
  [1.5, (world) => world.origin.republish()],
  [2, (world) => world.origin.compact()],
  [1, (world) => world.rejoin()],
  [1, (world) => world.crash()],
  [1, (world) => world.freeze()],
  [1, (world) => world.thaw()],
  [1, (world) => world.revokeZombie()],
  [1, (world) => world.landCommand()],
  [1, (world) => world.saveLedger()],
  [0.7, (world) => world.restartLedger()],
  [0.7, (world) => world.vandalise()],
  [2, (world) => world.replayLetter()],
]

/** Each schedule has its own mixture: one with few kinds of faults shows what a later fault of another kind would heal again. */
function mixtureOf(random: Random): () => Action {
  const weighted = [
    ...BUSINESS.map(([weight, action]) => ({ weight: weight * random.pick([0.3, 1, 1, 2]), action })),
    ...FAULTS.map(([weight, action]) => ({ weight: weight * random.pick([0, 0, 0.5, 1, 3]), action })),
  ]
  const total = weighted.reduce((sum, { weight }) => sum + weight, 0)
  return () => {
    let left = random.next() * total
    for (const { weight, action } of weighted) {
      left -= weight
      if (left < 0) return action
    }
    return weighted[0]!.action
  }
}

async function heal(world: World): Promise<string[]> {
  world.faults = false
  world.buryZombies()
  world.repair()
  world.pass(10 * LATE_MS)
  world.heartbeat()
  const trouble = await untilQuiet(world)
  if (trouble.length > 0) return trouble
  const differences = world.differences()
  if (differences.length > 0) return differences
  // What is not there is a dead letter, and a replay brings it.
  world.replayAll()
  return [...(await untilQuiet(world)), ...world.differences(), ...world.letters()]
}

async function untilQuiet(world: World): Promise<string[]> {
  for (let round = 0; round < HEALING_ROUNDS_MAX; round++) {
    world.origin.publish()
    world.fetch(10)
    await flush()
    while (world.calls.length + world.requests.length > 0) {
      world.answerCall()
      world.answerRequest()
      await flush()
    }
    world.commit()
    if (world.failures.length > 0) return [`the engine failed: ${world.failures[0]!.stack}`]
    if (world.quiet) return []
    world.pass(100)
    world.heartbeat()
  }
  return ['it never became quiet']
}
