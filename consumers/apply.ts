import {
  BatchRefused,
  type Destination,
  type EntityMapping,
  type Outcome,
  type Patch,
} from '../connectors/destination.ts'

/**
 * Sends patches of one entity. A refusal of a whole request is nobody's outcome: it is split until the culprit stands alone, so that
 * one bad record costs about twice the logarithm of its batch in requests and the others nothing else.
 * @returns one outcome a patch, in order
 */
export async function apply(
  destination: Destination,
  mapping: EntityMapping,
  patches: readonly Patch[],
  signal: AbortSignal,
): Promise<Outcome[]> {
  if (patches.length > destination.batchMax) return halves(destination, mapping, patches, signal)
  try {
    return [...(await destination.apply(mapping, patches, signal))]
  } catch (error) {
    if (!(error instanceof BatchRefused)) throw error
    if (patches.length === 1) return [{ kind: 'rejected', code: error.code, reason: error.message }]
    return halves(destination, mapping, patches, signal)
  }
}

async function halves(
  destination: Destination,
  mapping: EntityMapping,
  patches: readonly Patch[],
  signal: AbortSignal,
): Promise<Outcome[]> {
  const middle = patches.length >> 1
  const first = await apply(destination, mapping, patches.slice(0, middle), signal)
  const second = await apply(destination, mapping, patches.slice(middle), signal)
  return first.concat(second)
}
