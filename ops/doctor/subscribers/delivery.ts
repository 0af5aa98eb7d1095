import { seconds } from '../../cli/table.ts'
import { type GroupLook, lagOf } from '../../exporter/look.ts'
import type { LagRow } from '../../lag/lag.ts'
import { counted, type Finding, fail, ok, orElse, warn } from '../finding.ts'

/** Whether somebody delivers, and within the declared freshness. @param rows those of this subscriber. Pure. */
export function decideDelivery(subscriber: string, rows: readonly LagRow[]): readonly Finding[] {
  const name = 'subscriber-delivery'
  const start = `tributary deliver ${subscriber}`
  const findings = rows.flatMap(({ entity, state, lagRecords, lagSeconds, targetSeconds }): Finding[] => {
    const waits = `${counted(lagRecords, 'record')} not finished, the oldest ${seconds(lagSeconds)} old (target ${seconds(targetSeconds)})`
    if (state === 'unread') return [fail(name, `${subscriber} ${entity}`, `nobody delivers: ${waits}`, start)]
    if (state === 'late') {
      const todo = `Its log says what it waits for. Faster: raise concurrency, or start one more: ${start}`
      return [warn(name, `${subscriber} ${entity}`, waits, todo)]
    }
    return []
  })
  const members = [...new Map(rows.map((row) => [row.class, row.members])).values()].reduce((sum, one) => sum + one, 0)
  if (findings.length === 0 && members === 0)
    return [warn(name, subscriber, 'nobody delivers; nothing waits yet', start)]
  const most = Math.max(0, ...rows.map(({ lagSeconds }) => lagSeconds))
  return orElse(
    findings,
    ok(name, subscriber, `${counted(members, 'member')}, the oldest unfinished record is ${seconds(most)} old`),
  )
}

/** Whether members are there in vain. @param groups those of this subscriber. Pure. */
export function decideMembers(subscriber: string, groups: readonly GroupLook[]): readonly Finding[] {
  const name = 'subscriber-members'
  const findings = groups.flatMap(({ entityClass, members, partitions }): Finding[] => {
    if (members <= partitions.length) return []
    const found = `${members} members share ${counted(partitions.length, 'partition')}: ${members - partitions.length} of them do nothing`
    const todo = `Stop ${members - partitions.length} of: tributary deliver ${subscriber}`
    return [warn(name, `${subscriber} ${entityClass}`, found, todo)]
  })
  const told = groups.map(({ entityClass, members, partitions }) => {
    return `${entityClass}: ${counted(members, 'member')} for ${counted(partitions.length, 'partition')}`
  })
  return orElse(findings, ok(name, subscriber, told.join('; ')))
}

/** Whether each group goes on where it was. @param groups those of this subscriber. Pure. */
export function decideOffsets(subscriber: string, groups: readonly GroupLook[]): readonly Finding[] {
  const name = 'subscriber-offsets'
  const partitions = groups.flatMap((group) => group.partitions)
  const beyond = partitions.filter(({ committed, high }) => committed !== null && committed > high)
  const missing = partitions.filter((one) => one.committed === null && lagOf(one) > 0n)
  const findings: Finding[] = []
  for (const [topic, of] of Map.groupBy(beyond, (one) => one.topic))
    findings.push(
      fail(
        name,
        `${subscriber} ${of[0]!.entity}`,
        `committed beyond the end of ${topic} (${counted(of.length, 'partition')}): the topic was made anew, and its records would be passed over`,
        `Stop every tributary deliver ${subscriber}. Then: tributary rewind ${subscriber} ${of[0]!.entity} --to beginning`,
      ),
    )
  if (missing.length > 0) {
    const found = `${missing.length} of ${counted(partitions.length, 'partition')} with records and without a committed offset: they are read from the first record`
    findings.push(
      warn(
        name,
        subscriber,
        found,
        `Nothing for a new subscriber. Its offsets come with: tributary deliver ${subscriber}`,
      ),
    )
  }
  const committed = partitions.filter((one) => one.committed !== null).length
  const well = `committed in ${committed} of ${counted(partitions.length, 'partition')}; the others are empty`
  return orElse(
    findings,
    ok(name, subscriber, committed === partitions.length ? `committed in ${counted(committed, 'partition')}` : well),
  )
}

/** Whether dead letters wait for a person. @param rows those of this subscriber. Pure. */
export function decideDeadLetters(subscriber: string, rows: readonly LagRow[]): readonly Finding[] {
  const name = 'subscriber-letters'
  const findings = rows.flatMap(({ entity, owner, deadLetters, retryingLetters }): Finding[] => {
    if (!deadLetters) return []
    const retrying = retryingLetters ? `; ${retryingLetters} more are tried again by themselves` : ''
    const found = `${counted(deadLetters, 'dead letter')} of ${entity}, owner ${owner}${retrying}`
    return [warn(name, `${subscriber} ${entity}`, found, `tributary dlq list ${subscriber} --entity ${entity}`)]
  })
  const retrying = rows.reduce((sum, row) => sum + (row.retryingLetters ?? 0), 0)
  return orElse(
    findings,
    ok(name, subscriber, retrying > 0 ? `none is dead; ${retrying} are tried again by themselves` : 'none'),
  )
}
