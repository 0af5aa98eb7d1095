import { vi } from 'vitest'
import { LATE_MS } from '../consumers/simulation/member.ts'
import { type Random, randomOf } from '../consumers/simulation/random.ts'
import { CLOCK, flush } from '../consumers/simulation/run.ts'
import type { Compares } from '../consumers/simulation/subscriber.ts'
import { World } from '../consumers/simulation/world.ts'
import type { Flaws } from './flaws.ts'
import { Watch } from './guarantees.ts'
import { Upstream } from './upstream.ts'

const STEPS_MIN = 40
const STEPS_MAX = 240
const HEALING_ROUNDS_MAX = 1_000

export const FAKED = ['setTimeout', 'clearTimeout', 'setImmediate', 'Date', 'performance'] as const

/** A source, its captures, a topic, a subscriber's members and their destination. */
export interface System {
  readonly world: World<Upstream>
  readonly upstream: Upstream
  readonly watch: Watch
}

export interface Schedule {
  readonly seed: number
  readonly compares: Compares
  readonly flaws?: Flaws
}

/**
 * Runs one random schedule over the real stages of both sides: faults, then healing until all is quiet. The same seed, the same schedule.
 * @returns what is against a guarantee; empty when nothing is
 */
export async function runSchedule(schedule: Schedule): Promise<string[]> {
  return await inSystem(schedule, async (system) => {
    const { random } = system.world
    const nextAction = mixtureOf(random)
    const steps = STEPS_MIN + random.upTo(STEPS_MAX - STEPS_MIN)
    for (let step = 0; step < steps && system.watch.violations.length === 0; step++) {
      nextAction()(system)
      await flush()
    }
  })
}

/** Lets `happen` do its worst in a system of its own, then heals it. Replaces the clock. */
export async function inSystem(
  { seed, compares, flaws = {} }: Schedule,
  happen: (system: System) => Promise<void>,
): Promise<string[]> {
  // Each schedule begins at the same time, whatever ran before it.
  vi.useRealTimers()
  vi.useFakeTimers({ toFake: [...FAKED], now: 1_700_000_000_000 })
  const random = randomOf(seed)
  vi.spyOn(Math, 'random').mockImplementation(() => random.next())
  const upstream = new Upstream(random, flaws)
  const effective: Flaws = flaws.comparisonIgnored ? { ...flaws, neverHolds: true } : flaws
  const world = new World(random, flaws.comparisonIgnored ? 'nothing' : compares, effective, CLOCK, upstream)
  const watch = new Watch(world)
  try {
    await happen({ world, upstream, watch })
    const found = watch.violations.length > 0 ? watch.violations : await heal({ world, upstream, watch })
    if (found.length > 0 && process.env.TRAIL) console.log(trailOf(world))
    return found
  } finally {
    world.member.die()
    for (const zombie of world.zombies) zombie.die()
    for (const capture of upstream.captures) capture.die()
    vi.clearAllTimers()
  }
}

function trailOf({ trail, origin }: World<Upstream>): string {
  const at = (line: string) => Number(line.slice(0, line.indexOf(' ')))
  return [...origin.trail, ...trail].sort((one, other) => at(one) - at(other)).join('\n')
}

type Action = (system: System) => unknown

/** What may happen next, and how often where all is as usual. */
const BUSINESS: readonly [number, Action][] = [
  [9, ({ upstream }) => upstream.database.write()],
  // Where nothing is asked, a capture may be resting between two sends.
  [40, ({ upstream, world }) => upstream.answer() || world.pass(5)],
  [10, ({ world }) => world.fetch(1 + world.random.upTo(4))],
  [5, commit],
  [35, ({ world }) => world.answerCall()],
  [20, ({ world }) => world.answerRequest()],
  [8, ({ world }) => world.pass(world.random.upTo(200))],
  [3, ({ world }) => world.pass(world.random.upTo(1_500))],
  [5, ({ world }) => world.heartbeat()],
  [3, ({ world }) => world.tryLetterAgain()],
]
const FAULTS: readonly [number, Action][] = [
  [1, ({ upstream }) => upstream.startCapture()],
  [0.7, ({ upstream }) => upstream.stopCapture()],
  [1, ({ upstream }) => upstream.crashCapture()],
  [2, ({ upstream }) => upstream.freezeCapture()],
  [2, ({ upstream }) => upstream.thawCapture()],
  [2, ({ upstream }) => upstream.landFrozen()],
  [2, ({ upstream }) => upstream.cutCapture()],
  [1, ({ upstream }) => upstream.landSend()],
  [1, ({ upstream }) => upstream.landEarly()],
  [0.5, ({ upstream }) => upstream.database.loseSlot()],
  [2, ({ upstream }) => upstream.compact()],
  [1, ({ world }) => world.rejoin()],
  [1, ({ world }) => world.crash()],
  [1, ({ world }) => world.freeze()],
  [1, ({ world }) => world.thaw()],
  [1, ({ world }) => world.revokeZombie()],
  [1, ({ world }) => world.landCommand()],
  [1, ({ world }) => world.saveLedger()],
  [0.5, ({ world }) => world.restartLedger()],
  [0.5, ({ world }) => world.vandalise()],
  [1, ({ world }) => world.replayLetter()],
]

function commit({ world, watch }: System): void {
  world.commit()
  watch.committed()
}

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

async function heal(system: System): Promise<string[]> {
  const { world, upstream, watch } = system
  world.faults = false
  upstream.faults = false
  world.buryZombies()
  upstream.heal()
  world.repair()
  world.pass(10 * LATE_MS)
  world.heartbeat()
  const trouble = await untilQuiet(system)
  if (trouble.length > 0) return trouble
  if (upstream.database.unencodable.length > 0) {
    watch.requireLetters()
    upstream.database.correct()
    const more = await untilQuiet(system)
    if (more.length > 0) return more
  }
  await watch.atRest()
  const found = [...watch.violations, ...world.differences().map((difference) => `G4: ${difference}`)]
  if (found.length > 0) return found
  // What is not there is a dead letter, and a replay brings it.
  world.replayAll()
  const left = [...(await untilQuiet(system)), ...world.differences(), ...world.letters()]
  return [...watch.violations, ...left.map((line) => `G5: ${line}`)]
}

async function untilQuiet(system: System): Promise<string[]> {
  const { world, upstream, watch } = system
  for (let round = 0; round < HEALING_ROUNDS_MAX; round++) {
    // Those that ran may all have been asked to end.
    if (upstream.captures.length === 0) upstream.startCapture()
    world.fetch(10)
    await flush()
    while (world.calls.length + world.requests.length + upstream.calls.length > 0) {
      upstream.answer()
      world.answerCall()
      world.answerRequest()
      await flush()
    }
    commit(system)
    const failures = [...world.failures, ...upstream.failures]
    if (failures.length > 0) return [`G8: it failed: ${failures[0]!.stack}`]
    if (watch.violations.length > 0) return watch.violations
    if (world.quiet) return []
    world.pass(200)
    world.heartbeat()
  }
  return ['G8: it never became quiet']
}
