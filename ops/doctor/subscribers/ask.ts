import type { Destination } from '../../../connectors/destination.ts'
import type { TributaryError } from '../../../schemas/errors.ts'
import type { DeclaredSubscriber } from '../../declaration/subscribers/declared.ts'
import type { ClusterLook } from '../../exporter/look.ts'
import { Lookout } from '../../exporter/lookout.ts'
import { lagRows } from '../../lag/lag.ts'
import { openDestination } from '../../process/delivery.ts'
import type { Environment } from '../../process/environment.ts'
import { ANSWER_MS_MAX, type Answer, ask, decided, letGo } from '../answer.ts'
import { type Finding, failed, ok } from '../finding.ts'
import { decideDeadLetters, decideDelivery, decideMembers, decideOffsets } from './delivery.ts'

/** Asks each subscriber's system, and Kafka about its groups and dead letters. Changes nothing. */
export async function lookAtSubscribers(environment: Environment): Promise<readonly Finding[]> {
  const { declaration } = environment
  const [look, ...systems] = await Promise.all([
    lookAtGroups(environment),
    ...[...declaration.subscribers.values()].map((subscriber) => lookAtSystem(subscriber)),
  ])
  const nowMs = Date.now()
  const standings = [...declaration.subscribers.keys()].flatMap((name) => {
    const rows = about(look, (one) => lagRows(declaration, one, nowMs).filter(({ subscriber }) => subscriber === name))
    const groups = about(look, (one) => one.groups.filter(({ subscriber }) => subscriber === name))
    const counted = look.value?.letters.some(({ subscriber }) => subscriber === name)
    const letters: typeof rows = counted === false ? { error: failureOf(look.value!) } : rows
    return [
      ...decided('subscriber-delivery', name, rows, (one) => decideDelivery(name, one)),
      ...decided('subscriber-members', name, groups, (one) => decideMembers(name, one)),
      ...decided('subscriber-offsets', name, groups, (one) => decideOffsets(name, one)),
      ...decided('subscriber-letters', name, letters, (one) => decideDeadLetters(name, one)),
    ]
  })
  return [...systems.flat(), ...standings]
}

/** What every group has finished, and every open dead letter. */
async function lookAtGroups(environment: Environment): Promise<Answer<ClusterLook>> {
  const lookout = new Lookout(environment)
  const over = new AbortController()
  try {
    const look = await ask('kafka-unreachable', 'the look at all groups', lookout.look(over.signal), 2 * ANSWER_MS_MAX)
    if (look.error || look.value.up.kafka) return look
    return { error: failureOf(look.value) }
  } finally {
    over.abort()
    await letGo(lookout.close())
  }
}

/** Why a look has gaps in what Kafka was asked. */
function failureOf({ failures }: ClusterLook): TributaryError {
  return failures.find(({ code }) => code === 'kafka-unreachable' || code === 'topic-missing') ?? failures[0]!
}

function about<T>(look: Answer<ClusterLook>, of: (one: ClusterLook) => T): Answer<T> {
  return look.error ? look : { value: of(look.value) }
}

async function lookAtSystem(subscriber: DeclaredSubscriber): Promise<readonly Finding[]> {
  const { name, type } = subscriber
  const beganMs = performance.now()
  let destination: Destination | undefined
  const check = async () => {
    destination = openDestination(subscriber)
    await destination.check()
  }
  try {
    const answer = await ask('destination-unreachable', `subscriber ${name}`, check())
    if (answer.error) return [failed('subscriber-system', name, answer.error)]
    const tookMs = Math.round(performance.now() - beganMs)
    return [ok('subscriber-system', name, `${type}: all that is declared is there, checked within ${tookMs} ms`)]
  } finally {
    await letGo(destination?.close())
  }
}
