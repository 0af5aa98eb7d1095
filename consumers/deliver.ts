import type { Outcome, Patch, Upsert } from '../connectors/destination.ts'
import { pause } from '../connectors/pause.ts'
import { TributaryError } from '../schemas/errors.ts'
import { apply } from './apply.ts'
import type { Assignment } from './assignment.ts'
import { decode } from './decode.ts'
import { bytesOf, runsOf } from './fetch-claims.ts'
import { gate } from './gate.ts'
import { type DeliveryContext, type Item, newItem, type Route } from './item.ts'
import type { Waiting } from './lanes.ts'
import { pauseMs } from './outcomes.ts'
import { settle } from './settle.ts'

/**
 * Delivers records of one entity, at most one a key: decode → gate → patch → apply → settle, and again for those that need it, until each
 * is settled, given up as a dead letter, or no longer ours. An outage holds it here, which is the back-pressure.
 * @param finish called once for each record that needs nothing more
 */
export async function deliver(
  context: DeliveryContext,
  route: Route,
  taken: readonly { assignment: Assignment; record: Waiting }[],
  finish: (assignment: Assignment, record: Waiting) => void,
): Promise<void> {
  let items = taken.map(({ assignment, record }) => newItem(assignment, record))
  const done = (item: Item) => {
    if (item.done) return
    item.done = true
    finish(item.assignment, item.record)
  }
  for (let round = 1; items.length > 0 && !context.signal.aborted; round++) {
    for (const item of items) Object.assign(item, { token: null, entry: null, plan: null, outcome: null, holdMs: 0 })
    try {
      await tryOnce(context, route, items, done)
    } catch (error) {
      // The ledger, the registry or Kafka is away. Nothing is guessed: what is unfinished passes the gate again, and its marks stand.
      if (!(error instanceof TributaryError && error.fate === 'retry')) throw error
      context.log('warn', `delivery to ${context.subscriber} waits`, { reason: error.message })
      for (const item of items) if (!item.done) item.outcome = { kind: 'unavailable', error }
    }
    items = items.filter((item) => !item.done && item.assignment.active)
    if (items.length === 0) return
    const hold = Math.max(...items.map((item) => item.holdMs))
    const outcomes = items.flatMap(({ outcome }) => (outcome ? [outcome] : []))
    await pause(Math.max(hold, pauseMs(outcomes, round, Math.random())), context.signal)
  }
}

async function tryOnce(
  context: DeliveryContext,
  route: Route,
  items: readonly Item[],
  finish: (item: Item) => void,
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
    if (item.change !== null || item.unreadable !== null) continue
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
      unchanged += item.record.tickets.length
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
    item.attempts++
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
