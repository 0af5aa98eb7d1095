import { TributaryError } from '../schemas/errors.ts'
import { allDone, byAssignment, type DeliveryContext, type Item, type Route } from './item.ts'
import type { Settled } from './lanes/lanes.ts'
import { packVersion, parseAnswer, staleLetter } from './ledger/entry.ts'
import { resolvedRecord } from './letters/dead-letter.ts'
import { planPatch } from './patch.ts'
import { stillOwns } from './settle.ts'

/**
 * Asks the ledger for each record whether it is still wanted, one script a partition. Those that are get their token, ledger entry and
 * patch; stale ones are finished; a refused owner's keep `token` null and are tried again.
 * @throws TributaryError `ledger-unreachable`: nothing may be sent
 */
export async function gate(
  context: DeliveryContext,
  route: Route,
  items: readonly Item[],
  finish: (item: Item, how: Settled) => void,
): Promise<void> {
  await allDone([...byAssignment(items).values()].map((group) => gateGroup(context, route, group, finish)))
}

async function gateGroup(
  context: DeliveryContext,
  route: Route,
  items: readonly Item[],
  finish: (item: Item, how: Settled) => void,
): Promise<void> {
  const { ledger, membership, observer } = context
  const { assignment } = items[0]!
  const token = await assignment.token(ledger, () => membership.next())
  if (token === '' || !assignment.active) return
  const requests = items.map(({ record }) => ({
    key: record.key,
    version: packVersion(record.version),
    uncertain: record.trials.uncertain,
  }))
  const answers = await ledger.gate(assignment.scope, token, requests)
  if (answers === 'fenced') return assignment.refused(token)
  const unwanted = { duplicate: 0, stale: 0 }
  /** Ended before the lane goes on, so that no letter of a newer record of the key is ended by it. */
  const ended: Item[] = []
  for (const [index, item] of items.entries()) {
    const answer = answers[index]!
    if (answer[0] !== 'g') {
      unwanted[answer[0] === 'e' ? 'duplicate' : 'stale'] += item.record.tickets.length
      if (endsLetter(item, answer)) ended.push(item)
      else finish(item, 'stale')
      continue
    }
    item.token = token
    item.entry = parseAnswer(answer)
    if (item.change === null) continue
    try {
      item.plan = planPatch(route.mapping, route.fingerprinter, item.entry, item.change, item.record.trials.mustBeFull)
    } catch (error) {
      if (!(error instanceof TributaryError && error.fate === 'dead-letter')) throw error
      item.unreadable = error
    }
  }
  if (ended.length > 0 && (await stillOwns(context, assignment, token))) {
    await context.deadLetters.write(
      ended.map(({ record }) =>
        resolvedRecord(context.prefix, context.subscriber, assignment.scope.entity, record.key),
      ),
    )
    for (const item of ended) finish(item, 'stale')
  }
  for (const reason of ['duplicate', 'stale'] as const)
    if (unwanted[reason] > 0) observer.gated(route.mapping.entity.name, reason, unwanted[reason])
}

/** A dead letter that came back, and is not wanted any more: its subscriber has what it holds, or newer. */
function endsLetter({ record }: Item, answer: string): boolean {
  const letter = staleLetter(answer)
  return record.replays !== null && (letter === null || letter <= packVersion(record.version))
}
