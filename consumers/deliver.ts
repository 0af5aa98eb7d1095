import type { Outcome, Patch, Upsert } from '../connectors/destination.ts'
import { TributaryError } from '../schemas/errors.ts'
import { apply } from './apply.ts'
import type { Assignment } from './assignment.ts'
import { decode } from './decode.ts'
import { bytesOf, runsOf } from './fetch-claims.ts'
import { gate } from './gate.ts'
import { type DeliveryContext, type Item, newItem, type Route } from './item.ts'
import type { Settled, Waiting } from './lanes/lanes.ts'
import { settle } from './settle.ts'

export interface Delivered {
  readonly items: readonly Item[]
  /** Why nothing could be done, when it was our own side: the ledger, the registry or Kafka is away. */
  readonly trouble: TributaryError | null
}

/**
 * Takes records of one entity, at most one a key, once through decode → gate → patch → apply → settle. What is not done after it has
 * `again`, if it is to be tried again; nothing is waited for here but answers.
 * @param finish called once for each record that needs nothing more
 */
export async function deliver(
  context: DeliveryContext,
  route: Route,
  taken: readonly { assignment: Assignment; record: Waiting }[],
  finish: (item: Item, how: Settled) => void,
): Promise<Delivered> {
  const items = taken.map(({ assignment, record }) => newItem(assignment, record))
  const done = (item: Item, how: Settled) => {
    if (item.done) return
    item.done = true
    finish(item, how)
  }
  try {
    await tryOnce(context, route, items, done)
    return { items, trouble: null }
  } catch (error) {
    // Nothing is guessed: what is unfinished passes the gate again, and its marks stand.
    if (!(error instanceof TributaryError && error.fate === 'retry')) throw error
    return { items, trouble: error }
  }
}

async function tryOnce(
  context: DeliveryContext,
  route: Route,
  items: readonly Item[],
  finish: (item: Item, how: Settled) => void,
): Promise<void> {
  const { membership, signal, observer } = context
  await decodeItems(context, route, items)
  const startedAt = performance.now()
  await gate(context, route, items, finish)
  const wanted = items.filter((item) => item.token !== null)
  const gatedAt = performance.now()
  // The last look before something is sent: an owner out of touch with its group may have been replaced.
  while (!membership.inTouch && !signal.aborted) await membership.next()
  const ours = wanted.filter((item) => item.assignment.active)
  if (ours.length === 0 || signal.aborted) return
  await applyItems(context, route, ours)
  const appliedAt = performance.now()
  await settle(context, route, ours, finish)
  const ledgerMs = gatedAt - startedAt + (performance.now() - appliedAt)
  observer.batch(route.mapping.entity.name, ours.length, ledgerMs, appliedAt - gatedAt)
}

async function decodeItems(context: DeliveryContext, route: Route, items: readonly Item[]): Promise<void> {
  for (const item of items) {
    const read = await decode(context.decoder, route.mapping.entity.name, route.topic, item.record)
    if (read instanceof TributaryError) item.unreadable = read
    else item.change = read
  }
}

async function applyItems(context: DeliveryContext, route: Route, items: readonly Item[]): Promise<void> {
  const { observer } = context
  const entity = route.mapping.entity.name
  const sent: Item[] = []
  let unchanged = 0
  for (const item of items) {
    if (item.unreadable !== null) {
      item.outcome = { kind: 'rejected', code: item.unreadable.code, reason: item.unreadable.message }
    } else if (item.plan!.patch === null) {
      item.outcome = { kind: 'unchanged' }
      unchanged += Math.max(item.record.tickets.length, 1)
    } else {
      sent.push(item)
    }
  }
  if (unchanged > 0) observer.gated(entity, 'unchanged', unchanged)
  if (sent.length === 0) return
  const trouble = new Set<string>()
  for (const { bytes, run } of runsOf(sent, claimedBytes))
    await context.claims.holding(bytes, () => applyRun(context, route, run, trouble))
  for (const reason of trouble) context.log('warn', `delivery to ${context.subscriber} waits`, { entity, reason })
}

function claimedBytes(item: Item): number {
  return item.plan!.claimed.reduce((sum, { claim }) => sum + bytesOf(claim), 0)
}

/** Fetches what the patches of a run refer to, and sends them together. */
async function applyRun(
  context: DeliveryContext,
  route: Route,
  run: readonly Item[],
  trouble: Set<string>,
): Promise<void> {
  const { observer, membership, signal } = context
  const entity = route.mapping.entity.name
  const answer = (item: Item, outcome: Outcome) => {
    item.outcome = outcome
    if ('error' in outcome) trouble.add(outcome.error.message)
    if (outcome.kind !== 'applied') observer.answered(entity, outcome.kind)
  }
  const sent: { readonly item: Item; readonly patch: Patch }[] = []
  let away: Outcome | undefined
  for (const item of run) {
    const { patch, claimed } = item.plan!
    // When the store is away for one it is for all: waiting for each would take a time-out each.
    const filled =
      claimed.length === 0 ? patch! : (away ?? (await context.claims.fill(patch as Upsert, claimed, signal)))
    if ('key' in filled) sent.push({ item, patch: filled })
    else answer(item, filled)
    if (filled.kind === 'unavailable') away = filled
  }
  if (sent.length === 0) return
  const stillOurs = () => membership.inTouch && sent.every(({ item }) => item.assignment.active)
  const patches = sent.map(({ patch }) => patch)
  // Fetching may have taken so long that another owner was chosen meanwhile.
  const mayStart = run.every((item) => item.plan!.claimed.length === 0) || stillOurs()
  const outcomes = mayStart
    ? await apply(context.destination, route.mapping, patches, signal, stillOurs)
    : patches.map((): Outcome => ({ kind: 'unavailable', error: new Error('no longer the owner') }))
  const answeredAtMs = Date.now()
  for (const [index, { item, patch }] of sent.entries()) {
    item.asked = mayStart
    answer(item, outcomes[index]!)
    if (outcomes[index]!.kind === 'applied') report(context, item, patch, answeredAtMs)
  }
}

function report(context: DeliveryContext, item: Item, patch: Patch, answeredAtMs: number): void {
  context.observer.applied({
    entity: item.change!.entity,
    key: patch.key,
    version: patch.version,
    op: item.change!.op,
    full: item.plan!.full,
    fields: patch.kind === 'upsert' ? patch.fields : {},
    latencyMs: answeredAtMs - Number(item.change!.source.committedAt / 1000n),
  })
}
