import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { Destination, Outcome, Patch } from '../../../connectors/destination.ts'
import { Ledger } from '../../../consumers/ledger/ledger.ts'
import { required } from '../../support/flow.ts'
import { deleteLedger } from '../support/bench-pipeline.ts'
import { median, round } from '../support/statistics.ts'
import type { Figures, Surroundings } from '../support/surroundings.ts'
import { startFedEngine } from './fed-engine.ts'
import { MAPPING } from './records.ts'

export interface LanesOptions {
  readonly keys: readonly number[]
  /** The most requests under way, as a subscriber declares it. */
  readonly concurrency: number
  /** How long one request takes. */
  readonly requestMs: number
  readonly rounds: number
  /** Each window; one of lanes follows one of one-at-a-time. */
  readonly windowMs: number
}

export const KEYS = [1, 2, 5, 10, 20, 50, 100, 1_000, 10_000]
const DELETED_KEEP_MS = 3_600_000

interface Point {
  readonly keys: number
  readonly recordsPerSecond: number
  /** To one request after the other, in the windows beside it. */
  readonly ratio: number
}

/**
 * How throughput grows with the number of keys that have work, at a destination that takes one record a request and some milliseconds for each.
 * Beside it, in windows that alternate with those of the lanes: the same destination asked for one record after the other with nothing
 * around it, neither gate nor ledger, which is more than any consumer that works one record at a time can reach.
 */
export async function benchLanes({ progress, atEnd }: Surroundings, options: LanesOptions): Promise<Figures> {
  const { concurrency, requestMs, rounds, windowMs } = options
  const destination = slowDestination(requestMs)
  const prefix = `bench${randomBytes(4).toString('hex')}`
  const { comparesVersions, lateRequestMs } = destination
  const ledger = new Ledger({
    url: required('TRIBUTARY_REDIS_URL'),
    prefix,
    comparesVersions,
    lateRequestMs,
    deletedKeepMs: DELETED_KEEP_MS,
    log: () => {},
  })
  atEnd(async () => {
    ledger.close()
    await deleteLedger(prefix)
  })
  await ledger.connect()

  const curve: Point[] = []
  const alone: number[] = []
  for (const keys of options.keys) {
    progress.step(`${keys.toLocaleString('en')} keys`)
    const engine = startFedEngine({ subscriber: `keys-${keys}`, keys, concurrency, ledger, destination })
    try {
      // Every key has an entry, and as much is under way as the destination takes.
      await engine.run(windowMs)
      const rates: number[] = []
      const ratios: number[] = []
      for (let number = 1; number <= rounds; number++) {
        const one = await oneAtATime(destination, windowMs)
        const many = rateOf(await engine.run(windowMs))
        alone.push(one)
        rates.push(many)
        ratios.push(many / one)
        progress.update(number, rounds)
      }
      curve.push({ keys, recordsPerSecond: round(median(rates)), ratio: round(median(ratios)) })
    } finally {
      engine.close()
    }
  }
  progress.end()
  return { requestMs, concurrency, rounds, windowMs, oneAtATimePerSecond: round(median(alone)), curve }
}

/** For a person: the curve, and how far each point is. */
export function printLanes(figures: Figures): void {
  const { requestMs, concurrency, oneAtATimePerSecond, curve } = figures as unknown as LanesOptions & {
    readonly oneAtATimePerSecond: number
    readonly curve: readonly Point[]
  }
  console.log(`Requests of ${requestMs} ms, one record each, at most ${concurrency} under way`)
  console.log(`One after the other: ${oneAtATimePerSecond.toLocaleString('en')} records/s\n`)
  console.log(`${'keys'.padStart(7)}${'records/s'.padStart(12)}${'ratio'.padStart(9)}`)
  const most = Math.max(...curve.map(({ ratio }) => ratio))
  for (const { keys, recordsPerSecond, ratio } of curve) {
    const bar = '█'.repeat(Math.max(1, Math.round((ratio / most) * BAR_WIDTH)))
    const rate = recordsPerSecond.toLocaleString('en').padStart(12)
    console.log(`${keys.toLocaleString('en').padStart(7)}${rate}${ratio.toFixed(1).padStart(9)}  ${bar}`)
  }
}

const BAR_WIDTH = 40

function rateOf({ records, ms }: { readonly records: number; readonly ms: number }): number {
  return records / (ms / 1000)
}

async function oneAtATime(destination: Destination, windowMs: number): Promise<number> {
  const version = { epoch: 1n, position: 1n, ordinal: 0 }
  const patch: Patch = { kind: 'upsert', key: '1', version, full: true, fields: {}, tag: null }
  const { signal } = new AbortController()
  const startedAt = performance.now()
  let records = 0
  while (performance.now() - startedAt < windowMs) {
    await destination.apply(MAPPING, [patch], signal)
    records++
  }
  return rateOf({ records, ms: performance.now() - startedAt })
}

/** Takes one record a request, and time, but no processor time. */
function slowDestination(requestMs: number): Destination {
  const applied: readonly Outcome[] = [{ kind: 'applied' }]
  return {
    comparesVersions: true,
    lateRequestMs: 0,
    batchMax: 1,
    plan: async () => [],
    provision: async () => {},
    check: async () => {},
    apply: () => wait(requestMs, applied),
    close: async () => {},
  }
}
