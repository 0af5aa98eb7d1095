import {
  BatchRefused,
  type Destination,
  type EntityMapping,
  type Outcome,
  type Patch,
} from '../connectors/destination.ts'
import { fateOf } from '../schemas/errors.ts'

/**
 * Sends patches of one entity. A refusal of a whole request is nobody's outcome: it is split until the culprit stands alone, so that
 * one bad record costs about twice the logarithm of its batch in requests and the others nothing else.
 * @param mayAsk asked before every request but the first: whether we still are the owner. Without, nothing more is sent, and what is
 * left is `unavailable`
 * @returns one outcome a patch, in order
 */
export async function apply(
  destination: Destination,
  mapping: EntityMapping,
  patches: readonly Patch[],
  signal: AbortSignal,
  mayAsk: () => boolean = () => true,
): Promise<Outcome[]> {
  let asked = false
  const ask = async (some: readonly Patch[]): Promise<Outcome[]> => {
    if (some.length > destination.batchMax) return await halves(some)
    if (asked && !mayAsk()) return some.map(() => ({ kind: 'unavailable', error: new Error('no longer the owner') }))
    asked = true
    try {
      return [...(await destination.apply(mapping, some, signal))]
    } catch (error) {
      if (error instanceof BatchRefused) {
        if (some.length > 1) return await halves(some)
        const { code, blockedBy, message: reason } = error
        return [
          blockedBy === null ? { kind: 'rejected', code, reason } : { kind: 'blocked', by: blockedBy, code, reason },
        ]
      }
      // Against the contract; but what was sent may have taken effect, so it must not count as surely not applied.
      if (fateOf(error) === 'retry') return some.map(() => ({ kind: 'unknown', error: error as Error }))
      throw error
    }
  }
  const halves = async (some: readonly Patch[]): Promise<Outcome[]> => {
    const middle = some.length >> 1
    const first = await ask(some.slice(0, middle))
    return first.concat(await ask(some.slice(middle)))
  }
  return await ask(patches)
}
