import type { DeadLetter } from './dead-letter.ts'
import { deadLetterRecord, resolvedRecord } from './dead-letter.ts'
import { allDone, byAssignment, type DeliveryContext, type Item, type Route } from './item.ts'
import { packApplied, packVersion } from './ledger/entry.ts'
import type { SettleRequest } from './ledger/ledger.ts'
import { NEXT } from './outcomes.ts'

/**
 * Draws the consequences of the outcomes: dead letters are written first, then the ledger, one script a partition, and only then a
 * record is finished. What has to be tried again is left as it is, with what its next round must know.
 * @throws TributaryError `ledger-unreachable`, `publish-failed`: what was not settled is tried again
 */
export async function settle(
  context: DeliveryContext,
  route: Route,
  items: readonly Item[],
  finish: (item: Item) => void,
): Promise<void> {
  const ready = items.filter((item) => prepareNextRound(context, item))
  await writeDeadLetters(context, route, ready)
  await allDone([...byAssignment(ready).values()].map((group) => settleGroup(context, group, finish)))
}

/** @returns whether the item is to be settled now; else it knows what its next round needs */
function prepareNextRound(context: DeliveryContext, item: Item): boolean {
  switch (NEXT[item.outcome!.kind]) {
    case 'settle':
      // Where versions are not compared, a lost request could land after this one: hold, then send it once more.
      if (!context.destination.comparesVersions && item.entry!.uncertainForMs > 0) {
        item.holdMs = item.entry!.uncertainForMs
        return false
      }
      return true
    case 'overtaken':
    case 'dead-letter':
      return true
    case 'again-full':
      item.mustBeFull = true
      return false
    case 'again-uncertain':
      item.uncertain = true
      return false
    case 'again-later':
      return false
  }
}

async function writeDeadLetters(context: DeliveryContext, route: Route, items: readonly Item[]): Promise<void> {
  const { prefix, subscriber, observer } = context
  const entity = route.mapping.entity.name
  const records = []
  for (const item of items) {
    if (item.outcome!.kind === 'rejected') {
      const { code, reason } = item.outcome as { code: string; reason: string }
      records.push(deadLetterRecord(prefix, subscriber, toDeadLetter(route, item, code, reason)))
      observer.deadLettered(entity, code)
    } else if (item.entry!.dead && NEXT[item.outcome!.kind] === 'settle') {
      records.push(resolvedRecord(prefix, subscriber, entity, item.record.key))
    }
  }
  if (records.length > 0) await context.deadLetters.write(records)
}

function toDeadLetter(route: Route, item: Item, code: string, reason: string): DeadLetter {
  const stage = item.unreadable === null ? 'apply' : 'decode'
  const { key, offset, value, headers } = item.record
  const { topic, partition } = item.assignment
  const entity = route.mapping.entity.name
  const attempts = Math.max(item.attempts, 1)
  return {
    entity,
    key,
    topic,
    partition,
    offset,
    value,
    headers,
    stage,
    code,
    reason,
    attempts,
    failedAtMs: Date.now(),
  }
}

async function settleGroup(
  context: DeliveryContext,
  items: readonly Item[],
  finish: (item: Item) => void,
): Promise<void> {
  const { assignment, token } = items[0]!
  let committedAt: bigint | null = null
  const requests = items.map((item): SettleRequest => {
    const commit = item.change?.source.committedAt
    if (commit !== undefined && (committedAt === null || commit > committedAt)) committedAt = commit
    return {
      key: item.record.key,
      version: packVersion(item.record.version),
      result: RESULTS[NEXT[item.outcome!.kind] as keyof typeof RESULTS],
      full: item.plan?.full ?? false,
      state: item.plan?.state ?? 'live',
      applied: item.plan ? packApplied(item.plan.fingerprints, tagOf(item)) : '',
    }
  })
  const answers = await context.ledger.settle(assignment.scope, token!, requests, committedAt)
  if (answers === 'fenced') return assignment.refused(token!)
  for (const [index, item] of items.entries()) {
    if (answers[index] === 'settled') finish(item)
    else item.uncertain = true
  }
}

const RESULTS = { settle: 'applied', overtaken: 'newer', 'dead-letter': 'dead' } as const

/** The tag that the destination answered; where nothing was sent, or it said nothing, what was known stays. */
function tagOf({ outcome, plan, entry }: Item): string | null {
  if (outcome!.kind !== 'applied' && outcome!.kind !== 'unchanged') return null
  return outcome!.tag ?? (plan!.patch === null ? entry!.tag : null)
}
