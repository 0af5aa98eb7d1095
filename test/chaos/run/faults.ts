import type { REPLAY } from '../checker/g5-letters.ts'
import { VENDORS, type Vendor } from '../histories/recording-vendor.ts'
import { type Random, seededRandom } from '../workload/random.ts'

/** All that can be done to a run, by what it is done to. */
export const FAULTS = {
  member: ['kill', 'kill', 'crash-loop', 'freeze', 'terminate', 'clock-off'],
  group: ['rebalance-storm'],
  way: ['cut-kafka', 'stall-kafka'],
  capture: ['lose-produce-answers', 'delay-produce', 'cut-source', 'cut-sessions', 'snapshot', 'truncate'],
  source: ['kill-source', 'big-transaction', 'big-transaction', 'add-column', 'widen-type', 'rewrite-table'],
  registry: ['registry-away', 'registry-silent'],
  broker: ['freeze-broker', 'kill-broker', 'fill-broker'],
  ledger: ['freeze-ledger', 'kill-ledger', 'flush-ledger', 'set-back-ledger', 'cut-ledger', 'fill-ledger'],
  warehouse: ['cut-warehouse', 'lock-warehouse'],
  search: [
    'failing',
    'failing-applied',
    'throttling',
    'slow',
    'reset-before',
    'reset-after',
    'hanging',
    'refusing',
    'down',
  ],
  vendor: ['failing', 'failing-applied', 'throttling', 'slow', 'reset-before', 'reset-after', 'hanging', 'down'],
} as const
/** What a source's history does not survive: only in runs that set out to lose it, as then less can be asked of its topics. */
export const LOSSES = ['drop-slot', 'invalidate-slot', 'restore-source'] as const
/** The search system fails for every entity that is not critical. */
export const FAILING_CLASS = 'failing-class'
export type FaultTarget = keyof typeof FAULTS
export type FaultKind =
  | (typeof FAULTS)[FaultTarget][number]
  | (typeof LOSSES)[number]
  | typeof FAILING_CLASS
  | typeof REPLAY

export interface PlannedFault {
  readonly kind: FaultKind
  /** A member, or what {@link FAULTS} says. */
  readonly target: string
  /** How long after the window's beginning. */
  readonly afterMs: number
}

/** Faults that overlap, and are healed together. */
export interface Window {
  readonly forMs: number
  readonly faults: readonly PlannedFault[]
  /** The destination that alone is hit: the window is not over before the others were seen to go on. */
  readonly alone: string | null
  /** How long all is well afterwards, while the workload goes on. */
  readonly restMs: number
}

const WINDOW_MS_MIN = 5_000
const WINDOW_MS_MAX = 15_000
const REST_MS_MAX = 5_000
const ISOLATED = 0.25
const LOST = 0.2
const ALSO_ALONE = { search: [FAILING_CLASS, FAILING_CLASS, FAILING_CLASS], vendor: [] } as const

/** What a seed chooses for a whole run. */
export interface RunPlan {
  readonly vendor: Vendor
  /** Whether {@link LOSSES} happen in it. */
  readonly losesHistory: boolean
  /** Whether capture then waits for `tributary recover`. */
  readonly isHeld: boolean
}

const LOSING = 0.4

export function planRun(seed: number): RunPlan {
  const random = seededRandom(seed, 'run')
  return { vendor: random.oneOf(VENDORS), losesHistory: random.chance(LOSING), isHeld: random.chance(0.5) }
}

/** The next window. Pure but for the generator. */
export function planWindow(random: Random, members: readonly string[], losesHistory: boolean): Window {
  const forMs = WINDOW_MS_MIN + random.below(WINDOW_MS_MAX - WINDOW_MS_MIN)
  const restMs = random.below(REST_MS_MAX)
  if (random.chance(ISOLATED)) {
    const alone = random.oneOf(['search', 'search', 'warehouse', 'vendor'] as const)
    const kind = alone === 'warehouse' ? 'lock-warehouse' : random.oneOf([...FAULTS[alone], ...ALSO_ALONE[alone]])
    return { forMs, restMs, alone, faults: [{ kind, target: alone, afterMs: 0 }] }
  }
  const count = 1 + random.below(3)
  const faults = Array.from({ length: count }, (_, at) =>
    planFault(random, members, losesHistory, at === 0 ? 0 : random.below(forMs)),
  )
  // What one server or member is hit by is one thing at a time.
  const targets = new Set<string>()
  const apart = faults.filter(({ target }) => !targets.has(target) && targets.add(target))
  return { forMs, restMs, alone: null, faults: apart }
}

const TARGETS = Object.keys(FAULTS) as readonly FaultTarget[]

function planFault(random: Random, members: readonly string[], losesHistory: boolean, afterMs: number): PlannedFault {
  if (losesHistory && random.chance(LOST)) return { kind: random.oneOf(LOSSES), target: 'source', afterMs }
  const target = random.oneOf([...TARGETS, 'member', 'member', 'capture', 'search', 'ledger'] as const)
  const kind = random.oneOf(FAULTS[target] as readonly FaultKind[])
  if (target === 'member' || target === 'way') return { kind, target: random.oneOf(members), afterMs }
  if (target === 'group') return { kind, target: random.oneOf(members.filter((name) => name !== 'capture')), afterMs }
  return { kind, target, afterMs }
}
