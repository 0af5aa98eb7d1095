import { eventually, type FlowProcess } from '../../support/flow.ts'
import type { Hold } from '../../support/hold.ts'
import type { TcpProxy } from '../../support/proxies/tcp-proxy.ts'
import type { Random } from '../workload/random.ts'
import type { Subscriber } from './subscribers.ts'

/** Where a delivering process can be when it ends. */
export const CRASH_POINTS = ['before-gate', 'after-gate', 'mid-request', 'before-ledger', 'after-ledger'] as const
export type CrashPoint = (typeof CRASH_POINTS)[number]

/** So many pass before: right after its start a process works off what has waited, mostly objects that are not there yet. */
const SKIPPED_MAX = 80
const REQUESTS_SKIPPED_MAX = 6
const ARRIVES_WITHIN_MS = 120_000

/**
 * Waits until a process that delivers stands at a point: what it has sent, or is about to get, is kept back.
 * - `before-gate`: it has asked the gate, and the ledger has not got that yet
 * - `after-gate`: its keys are marked, and it does not know yet
 * - `mid-request`: a request is under way, or its answer is
 * - `before-ledger`: the destination has answered, and the ledger has not got that yet
 * - `after-ledger`: the ledger has got it, and no offset is committed yet
 */
export async function untilAt(
  point: CrashPoint,
  ledger: TcpProxy,
  subscriber: Subscriber,
  random: Random,
): Promise<Hold> {
  const skip = random.below(SKIPPED_MAX)
  switch (point) {
    case 'before-gate':
      return await caught(ledger.catch('request', 'gate', skip), point)
    case 'after-gate':
      return await caught(ledger.catch('answer', 'gate', skip), point)
    case 'before-ledger':
      return await caught(ledger.catch('request', 'settle', skip), point)
    case 'after-ledger':
      return await caught(ledger.catch('answer', 'settle', skip), point)
    case 'mid-request': {
      // What it asks its destination before the first gate is no change.
      const gate = await caught(ledger.catch('answer', 'gate', skip), 'after-gate')
      const hold = subscriber.catch(random.oneOf(['request', 'request', 'answer']), random.below(REQUESTS_SKIPPED_MAX))
      gate.release()
      return await caught(hold, point)
    }
  }
}

async function caught(hold: Hold, point: CrashPoint): Promise<Hold> {
  let isThere = false
  void hold.arrived.then(() => {
    isThere = true
  })
  await eventually(() => isThere, `something is caught at ${point}`, ARRIVES_WITHIN_MS)
  return hold
}

/** What becomes of what was kept back once its sender is dead. */
export type Fate =
  | { readonly kind: 'lost' }
  /** It arrives before, or so much later. */
  | { readonly kind: 'before' }
  | { readonly kind: 'after'; readonly ms: number }

export function fateOf(random: Random, latestMs: number): Fate {
  const kind = random.oneOf(['lost', 'before', 'after', 'after'] as const)
  return kind === 'after' ? { kind, ms: random.below(latestMs) } : { kind }
}

/**
 * Kills a process at its point, and lets fate have what was kept back.
 * @returns once the process has ended; `landed` when fate is done
 */
export async function killAt(
  process: FlowProcess,
  hold: Hold,
  fate: Fate,
): Promise<{ readonly landed: Promise<void> }> {
  if (fate.kind === 'before') hold.release()
  process.kill('SIGKILL')
  await process.exited
  if (fate.kind === 'lost') hold.drop()
  if (fate.kind !== 'after') return { landed: Promise.resolve() }
  const landed = new Promise<void>((resolve) =>
    setTimeout(() => {
      hold.release()
      resolve()
    }, fate.ms),
  )
  return { landed }
}
