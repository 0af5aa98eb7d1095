import { setTimeout as wait } from 'node:timers/promises'
import { pollPatiently, tailTopic } from '../../../connectors/kafka/tail-topic.ts'
import { planReplays, request } from '../../../connectors/postgres/request.ts'
import { captureDeadLetterTopic } from '../../../schemas/topics.ts'
import type { DeclaredSource } from '../../declaration/declaration.ts'
import type { Environment } from '../../process/environment.ts'
import { groupLetters, type LetterGroup } from './list.ts'
import type { OpenLetter } from './open-letters.ts'
import { ReplayWatch } from './replay-watch.ts'

/** Whose key is not known, because there is none or no record can have it: only the place of the change is. */
const UNKNOWN_KEY = /^!key-(?:null|too-long)\//

export interface ReplayPlan {
  readonly letters: readonly OpenLetter[]
  readonly requests: ReturnType<typeof planReplays>
  /** Rows that cannot be found again. */
  readonly keyless: number
}

/**
 * Which requests replay these dead letters. Pure.
 * @param named whether one key was asked for: then it is sent whatever it is, and one that stands for no row ends
 */
export function planReplay(slot: string, letters: readonly OpenLetter[], named: boolean): ReplayPlan {
  const replayable = named ? letters : letters.filter(({ key }) => !UNKNOWN_KEY.test(key))
  const byEntity = Map.groupBy(replayable, ({ entity }) => entity)
  const requests = [...byEntity].flatMap(([entity, some]) =>
    planReplays(
      slot,
      entity,
      some.map(({ key }) => key),
    ),
  )
  return { letters: replayable, requests, keyless: letters.length - replayable.length }
}

export interface ReplayResult {
  /** Published, or gone. */
  readonly cleared: number
  readonly stillBad: readonly OpenLetter[]
  readonly groups: readonly LetterGroup[]
  readonly unanswered: number
}

const POLL_MS = 500

/**
 * Sends the requests and watches what becomes of them.
 * @param quietMsMax it gives up once nothing was heard for so long
 * @param onProgress called after each look, with how many of all were answered
 */
export async function replayLetters(
  { declaration, kafka }: Environment,
  source: DeclaredSource,
  plan: ReplayPlan,
  quietMsMax: number,
  onProgress: (answered: number) => void,
  signal: AbortSignal,
): Promise<ReplayResult> {
  const watch = new ReplayWatch(plan.letters)
  const topic = captureDeadLetterTopic(declaration.name, source.name)
  const tail = await tailTopic(kafka, declaration.kafka.brokers, topic)
  try {
    await request(source.url, source.name, plan.requests)
    let waiting = watch.waiting
    let heardAtMs = performance.now()
    for (;;) {
      await pollPatiently(tail, (record) => watch.take(record), signal)
      if (watch.waiting < waiting) heardAtMs = performance.now()
      waiting = watch.waiting
      onProgress(plan.letters.length - waiting)
      if (waiting === 0 || performance.now() - heardAtMs > quietMsMax) break
      await wait(POLL_MS, undefined, { signal })
    }
  } finally {
    await tail.close()
  }
  const { cleared, stillBad } = watch
  return { cleared, stillBad, groups: groupLetters(stillBad), unanswered: watch.waiting }
}
