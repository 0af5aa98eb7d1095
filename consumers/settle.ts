import type { OutgoingRecord } from '../connectors/kafka/producer.ts'
import { fateOf } from '../schemas/errors.ts'
import type { Assignment } from './assignment.ts'
import { allDone, byAssignment, type DeliveryContext, type Item, type Route } from './item.ts'
import type { Settled } from './lanes/lanes.ts'
import { type LastPatch, packApplied, packFailures, packVersion } from './ledger/entry.ts'
import type { SettleRequest } from './ledger/ledger.ts'
import type { DeadLetter } from './letters/dead-letter.ts'
import { deadLetterRecord, resolvedRecord } from './letters/dead-letter.ts'
import { type Circumstances, CONSEQUENCES, isAttempt, nextTryAt, waitMs } from './outcomes.ts'

/**
 * Draws the consequences of the outcomes: dead letters are written first, then the ledger, one script a partition, and only then a
 * record is finished. What has to be tried again is left as it is, with what its next round must know.
 * @throws TributaryError `ledger-unreachable`, `publish-failed`: what was not settled is tried again
 */
export async function settle(
  context: DeliveryContext,
  route: Route,
  items: readonly Item[],
  finish: (item: Item, how: Settled) => void,
): Promise<void> {
  const asked = items.filter((item) => item.asked)
  const othersPass = asked.some((item) => CONSEQUENCES[item.outcome!.kind].health === 'works')
  const behind = await behindOf(context, route, items)
  for (const item of items) draw(context, route, item, asked.length, othersPass, behind)
  await markUncertain(context, items)
  const ours = await writeDeadLetters(context, route, items)
  await allDone([...byAssignment(ours).values()].map((group) => settleGroup(context, route, group, finish)))
}

/** Decides for a record whether it is settled now, given up, or tried again, and when. */
function draw(
  context: DeliveryContext,
  route: Route,
  item: Item,
  company: number,
  companyPasses: boolean,
  behind: ReadonlySet<string>,
): void {
  const { destination, health, retry } = context
  const { trials, replays } = item.record
  const outcome = item.outcome!
  const { kind } = outcome
  const { next, health: says } = CONSEQUENCES[kind]
  if (next === 'overtaken' || next === 'dead-letter') return
  if (next === 'settle') {
    // Where versions are not compared, a lost request could land after this one: hold, then send it once more.
    const compares = destination.comparesVersions && !(destination.forgetsDeletes && item.plan?.state === 'deleted')
    if (!compares && item.entry!.uncertainForMs > 0)
      item.again = { inMs: item.entry!.uncertainForMs, trials: { ...trials, uncertain: false } }
    return
  }
  const answered = health.answered(route.mapping.entity.name)
  const othersPass = item.asked && (companyPasses || (trials.answeredThen >= 0 && answered > trials.answeredThen))
  const parentIsBehind = outcome.kind === 'blocked' && behind.has(outcome.by)
  const attemptsBefore = Math.max(trials.attempts, item.entry!.attempts)
  const circumstances: Circumstances = { rounds: trials.rounds, attempts: attemptsBefore, othersPass, parentIsBehind }
  const isOwn = isAttempt(kind, circumstances)
  const attempts = attemptsBefore + (isOwn ? 1 : 0)
  const failedFirst = [trials.firstFailedAtMs, item.entry!.firstFailedAtMs].filter((at) => at > 0)
  const firstFailedAtMs = failedFirst.length > 0 ? Math.min(...failedFirst) : isOwn ? Date.now() : 0
  const mustBeFull = trials.mustBeFull || next === 'again-full'
  const uncertain = next === 'again-uncertain'
  const halved = says === 'fails' && item.asked ? Math.ceil(company / 2) : trials.together
  const failed = { mustBeFull, uncertain, attempts, firstFailedAtMs, answeredThen: answered }
  item.again = {
    inMs: waitMs(kind, circumstances, retry, Math.random()),
    trials: { ...failed, rounds: trials.rounds + 1, together: Math.min(trials.together, Math.max(halved, 1)) },
  }
  // One that came back from the dead-letter topic is not parked here once more, and what waits for something that is behind not for ever:
  // its offset stands.
  const waitedEnough = isOwn ? attempts > retry.attemptsMax : parentIsBehind && trials.rounds >= BEHIND_ROUNDS_MAX
  if (waitedEnough || (replays !== null && (isOwn || parentIsBehind)))
    item.givenUp = {
      // What waits for something that is behind does not age.
      nextTryAt: nextTryAt(isOwn ? firstFailedAtMs : Date.now(), attempts, retry, Date.now(), Math.random()),
    }
}

/** About half a minute. */
const BEHIND_ROUNDS_MAX = 10

/** What records of a batch wait for that is behind, or has dead letters. While that cannot be asked, they only take time. */
async function behindOf(
  { isBehind }: DeliveryContext,
  { mapping }: Route,
  items: readonly Item[],
): Promise<ReadonlySet<string>> {
  const behind = new Set<string>()
  const waitedFor = new Set(items.flatMap(({ outcome }) => (outcome?.kind === 'blocked' ? [outcome.by] : [])))
  for (const target of waitedFor) {
    const isIt = await isBehind(target, mapping.entity.name).catch((error) => {
      if (fateOf(error) !== 'retry') throw error
      return true
    })
    if (isIt) behind.add(target)
  }
  return behind
}

/** A request of unknown result that is given up may land yet: the ledger has to know before the record is let go. */
async function markUncertain({ ledger }: DeliveryContext, items: readonly Item[]): Promise<void> {
  const lost = items.filter((item) => item.givenUp !== null && item.outcome!.kind === 'unknown')
  for (const [assignment, group] of byAssignment(lost)) {
    const requests = group.map(({ record }) => ({
      key: record.key,
      version: packVersion(record.version),
      uncertain: true,
    }))
    const answers = await ledger.gate(assignment.scope, group[0]!.token!, requests)
    if (answers === 'fenced') assignment.refused(group[0]!.token!)
  }
}

/** @returns the items whose owner we still are; nothing is written for the others */
async function writeDeadLetters(
  context: DeliveryContext,
  route: Route,
  items: readonly Item[],
): Promise<readonly Item[]> {
  const { prefix, subscriber, observer, deadLetters } = context
  const entity = route.mapping.entity.name
  if (!items.some((item) => isDead(item) || endsLetter(item))) return items
  const ours: Item[] = []
  for (const [assignment, group] of byAssignment(items))
    if (await stillOwns(context, assignment, group[0]!.token!)) ours.push(...group)
  const records: OutgoingRecord[] = []
  for (const item of ours) {
    if (!isDead(item)) {
      if (endsLetter(item)) records.push(resolvedRecord(prefix, subscriber, entity, item.record.key))
      continue
    }
    // The newest refused record of a key is the one that is kept.
    if (isOlderThanLetter(item)) continue
    const letter = toDeadLetter(route, item)
    records.push(deadLetterRecord(prefix, subscriber, letter))
    observer.deadLettered(entity, letter.code)
  }
  if (records.length > 0) await deadLetters.write(records)
  return ours
}

/**
 * Whether a partition is still ours, as the ledger says now: to be asked before the dead-letter topic is written to, which has no fence. A
 * former owner's tombstone would end a letter of the present one.
 */
export async function stillOwns(
  { ledger, membership }: DeliveryContext,
  assignment: Assignment,
  token: string,
): Promise<boolean> {
  const owns = await ledger.owns(assignment.scope, token)
  if (!owns) assignment.refused(token)
  return owns && assignment.active && membership.inTouch
}

function isDead(item: Item): boolean {
  return item.givenUp !== null || item.outcome!.kind === 'rejected'
}

function isOlderThanLetter({ entry, record }: Item): boolean {
  return entry!.letter !== null && packVersion(record.version) < entry!.letter
}

function endsLetter(item: Item): boolean {
  const { next } = CONSEQUENCES[item.outcome!.kind]
  // A destination that is ahead has what the letter holds, or newer.
  const settles = item.again === null && (next === 'settle' || next === 'overtaken')
  // One that came back ends its letter also where the ledger has forgotten that there is one.
  return settles && (item.entry!.letter !== null || item.record.replays !== null) && !isOlderThanLetter(item)
}

function toDeadLetter(route: Route, item: Item): DeadLetter {
  const { outcome, again, givenUp, assignment, record, entry } = item
  const now = Date.now()
  return {
    entity: route.mapping.entity.name,
    key: record.key,
    topic: assignment.topic,
    partition: assignment.partition,
    offset: record.offset,
    value: record.value,
    headers: record.headers,
    stage: item.unreadable === null ? 'apply' : 'decode',
    ...reasonOf(outcome!),
    attempts: Math.max(again?.trials.attempts ?? 0, record.trials.attempts + 1, 1),
    firstFailedAtMs: again?.trials.firstFailedAtMs || record.trials.firstFailedAtMs || entry!.firstFailedAtMs || now,
    replays: record.replays ?? 0,
    nextTryAtMs: givenUp?.nextTryAt ?? null,
  }
}

/** Why a record was given up, without values of it. */
function reasonOf(outcome: NonNullable<Item['outcome']>): { code: string; reason: string } {
  switch (outcome.kind) {
    case 'rejected':
    case 'blocked':
      return { code: outcome.code, reason: outcome.reason }
    case 'unavailable':
    case 'unknown':
      return { code: outcome.kind, reason: outcome.error.message }
    default:
      return { code: outcome.kind, reason: `the subscriber answered ${outcome.kind} again and again` }
  }
}

async function settleGroup(
  context: DeliveryContext,
  route: Route,
  items: readonly Item[],
  finish: (item: Item, how: Settled) => void,
): Promise<void> {
  const { assignment, token } = items[0]!
  let committedAt: bigint | null = null
  const told: Item[] = []
  const requests: SettleRequest[] = []
  for (const item of items) {
    const request = requestOf(item)
    if (request === null) continue
    told.push(item)
    requests.push(request)
    const commit = item.change?.source.committedAt
    if (request.result === 'applied' && commit !== undefined && (committedAt === null || commit > committedAt))
      committedAt = commit
  }
  if (requests.length === 0) return
  const answers = await context.ledger.settle(assignment.scope, token!, requests, committedAt)
  if (answers === 'fenced') return assignment.refused(token!)
  for (const [index, item] of told.entries()) {
    const { result } = requests[index]!
    if (result === 'failed') {
      context.observer.retried(route.mapping.entity.name)
    } else if (answers[index] === 'settled') {
      finish(item, result === 'dead' ? 'given-up' : 'applied')
    } else {
      item.again = { inMs: 0, trials: { ...item.record.trials, uncertain: true } }
    }
  }
}

/** What the ledger is told of an item; null for nothing. */
function requestOf(item: Item): SettleRequest | null {
  const { record, plan, outcome, again } = item
  const head = {
    key: record.key,
    version: packVersion(record.version),
    full: plan?.full ?? false,
    state: plan?.state ?? 'live',
    alone: item.entry!.uncertainForMs === 0,
  } as const
  if (isDead(item)) return { ...head, result: 'dead', applied: '' }
  if (again !== null) {
    const { attempts, firstFailedAtMs } = again.trials
    if (attempts === Math.max(record.trials.attempts, item.entry!.attempts)) return null
    return { ...head, result: 'failed', applied: packFailures(attempts, firstFailedAtMs) }
  }
  if (CONSEQUENCES[outcome!.kind].next === 'overtaken') return { ...head, result: 'newer', applied: '' }
  return {
    ...head,
    result: 'applied',
    applied: plan ? packApplied(plan.fingerprints, tagOf(item), lastPatchOf(plan)) : '',
  }
}

function lastPatchOf({ patch, claimed }: NonNullable<Item['plan']>): LastPatch {
  const sent = patch?.kind === 'upsert' ? Object.keys(patch.fields).length + claimed.length : 0
  return { atMs: Date.now(), fields: sent }
}

/** The tag that the destination answered; where nothing was sent, what was known stays. */
function tagOf({ outcome, plan, entry }: Item): string | null {
  if (outcome!.kind !== 'applied' && outcome!.kind !== 'unchanged') return null
  return outcome!.tag ?? (plan!.patch === null ? entry!.tag : null)
}
