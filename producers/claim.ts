import type { BlobStore } from '../connectors/blobs/store.ts'
import type { Log } from '../connectors/kafka/client.ts'
import { pause } from '../connectors/pause.ts'
import type { Claim, Delta } from '../schemas/delta.ts'
import { TributaryError } from '../schemas/errors.ts'
import type { Value } from '../schemas/field-type.ts'
import { LargeValue, sha256Of } from '../schemas/large-value.ts'
import type { HydratedEvent } from './hydrate.ts'

export interface ClaimOptions {
  /** null when none is declared: then a value that no record could take is the fault of its row. */
  readonly blobs: BlobStore | null
  readonly log: Log
  /** Called with the reason when the store is away and the source waits, and with null when it goes on. */
  readonly onWaiting: (reason: string | null) => void
}

/** Turns a batch's large values into claims; given back as it is when it has none. */
export type ClaimStage = (
  events: readonly HydratedEvent[],
  signal: AbortSignal,
) => readonly HydratedEvent[] | Promise<readonly HydratedEvent[]>

type LargeChange = Extract<HydratedEvent, { kind: 'change' }> & { readonly change: Delta }

/** Values that are stored at the same time. They are in memory already, whatever their size. */
const PUTS_MAX = 4
const BACKOFF_MS_MIN = 250
const BACKOFF_MS_MAX = 10_000

/**
 * The claim stage, between hydrate and encode: a large value goes to the blob store under the hash of its content, and the change holds a
 * claim in its place. It ends only when the store has everything, so that no record ever refers to a blob that is not there. While the
 * store is away it waits, and with it the source; nothing is sent inline or cut off.
 */
export function createClaimStage(given: ClaimOptions): ClaimStage {
  let waiting = 0
  const onWaiting = (reason: string | null) => {
    waiting += reason === null ? -1 : 1
    // Values are stored side by side: it goes on when the last of them does.
    if (reason !== null || waiting === 0) given.onWaiting(reason)
  }
  const options = { ...given, onWaiting }
  return (events, signal) => {
    const large = events.filter(hasLargeValue)
    if (large.length === 0) return events
    const { blobs } = options
    return blobs === null ? events.map(refuse) : claimAll(options, blobs, events, large, signal)
  }
}

/** Looked at for every field of every change: in place, and without making anything. */
function hasLargeValue(event: HydratedEvent): event is LargeChange {
  if (event.kind !== 'change' || event.change.op === 'delete') return false
  const { after } = event.change
  for (const name in after) if (isLarge(after[name]!)) return true
  return false
}

function isLarge(value: Value): value is LargeValue {
  return typeof value === 'object' && value instanceof LargeValue
}

async function claimAll(
  options: ClaimOptions,
  blobs: BlobStore,
  events: readonly HydratedEvent[],
  large: readonly LargeChange[],
  signal: AbortSignal,
): Promise<readonly HydratedEvent[]> {
  const claimed = new Map<HydratedEvent, HydratedEvent>()
  const waiting = large.values()
  const work = async () => {
    for (const event of waiting) claimed.set(event, await claimChange(options, blobs, event, signal))
  }
  const results = await Promise.allSettled(Array.from({ length: PUTS_MAX }, work))
  for (const result of results) if (result.status === 'rejected') throw result.reason
  for (const event of large) freeValues(event)
  return events.map((event) => claimed.get(event) ?? event)
}

function freeValues(event: LargeChange): void {
  for (const value of Object.values(event.change.after)) if (isLarge(value)) value.free()
}

async function claimChange(
  options: ClaimOptions,
  blobs: BlobStore,
  event: LargeChange,
  signal: AbortSignal,
): Promise<HydratedEvent> {
  const after: Record<string, Value> = {}
  const claims: Record<string, Claim> = { ...event.change.claims }
  for (const [name, value] of Object.entries(event.change.after)) {
    if (isLarge(value)) claims[name] = await storeValue(options, blobs, value, signal)
    else after[name] = value
  }
  return { ...event, change: { ...event.change, after, claims } }
}

async function storeValue(
  options: ClaimOptions,
  blobs: BlobStore,
  value: LargeValue,
  signal: AbortSignal,
): Promise<Claim> {
  const sha256 = await sha256Of(value)
  const put = () => blobs.put(sha256, value.bytes, () => value.chunks(), signal)
  try {
    await put()
  } catch (error) {
    await keepTrying(options, put, error, signal)
  }
  return { uri: blobs.uriOf(sha256), sha256, bytes: BigInt(value.bytes) }
}

async function keepTrying(
  options: ClaimOptions,
  put: () => Promise<void>,
  first: unknown,
  signal: AbortSignal,
): Promise<void> {
  let error = requireRetry(first, signal)
  options.log('warn', 'the source waits for the blob store', { reason: error.message })
  options.onWaiting(error.message)
  try {
    for (let backoffMs = BACKOFF_MS_MIN; ; backoffMs = Math.min(2 * backoffMs, BACKOFF_MS_MAX)) {
      await pause(backoffMs, signal)
      if (signal.aborted) throw error
      try {
        return await put()
      } catch (again) {
        error = requireRetry(again, signal)
      }
    }
  } finally {
    options.onWaiting(null)
  }
}

/** @throws the error itself when waiting does not help, or capture stops */
function requireRetry(error: unknown, signal: AbortSignal): TributaryError {
  if (!(error instanceof TributaryError && error.fate === 'retry') || signal.aborted) throw error
  return error
}

/** Without a store, the source reads a value as a large one only when no record could take it. */
function refuse(event: HydratedEvent): HydratedEvent {
  if (!hasLargeValue(event)) return event
  const { entity, key, version, source, after } = event.change
  const [field, value] = Object.entries(after).find(([, one]) => isLarge(one)) as [string, LargeValue]
  const reason =
    `the value has ${value.bytes} bytes, more than a record may have (claims.recordMax), and there is no blob store; ` +
    'declare `blobs` in tributary.yaml, then replay'
  return { kind: 'unencodable', entity, key, version, source, field, reason }
}
