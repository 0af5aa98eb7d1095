import { expect, onTestFinished, test } from 'vitest'
import type { LoggedRequest, Misbehaviour } from '../../../connectors/http/sandbox-server.ts'
import { deadLetterTopic } from '../../../schemas/topics.ts'
import { eventually } from '../../support/flow.ts'
import { countRecords } from '../../support/topics/topic-history.ts'
import { keepChanging } from '../delivery/items.ts'
import { warehouse } from '../delivery/subscribers.ts'
import { chosenSeed } from '../workload/random.ts'
import { endWell, expectGuarantees, openScene, put, untilHeld } from './scene.ts'
import { openSearch } from './search.ts'

const SEED = chosenSeed()
/** So many requests have to meet a misbehaviour before it ends. */
const MET = 3
/** Within what a request may take, and beyond it (search.ts). */
const SLOW_MS = 1_000
const TOO_SLOW_MS = 4_000

/** What the destination does wrong, one after the other, and which of its requests have met that. */
const WINDOWS: readonly (readonly [string, Misbehaviour, (result: LoggedRequest['result']) => boolean])[] = [
  ['throttling', { throttle: { retryAfterSeconds: 1 } }, (result) => result === 429],
  ['failing', { status: 503 }, (result) => result === 503],
  ['failing after it applied', { status: 500, applied: true }, (result) => result === 500],
  ['resetting before it applies', { reset: 'before' }, (result) => result === 'reset-before'],
  ['resetting after it applied', { reset: 'after' }, (result) => result === 'reset-after'],
  ['slow', { latencyMs: SLOW_MS }, (result) => typeof result === 'number' || result === 'gone'],
  ['too slow', { latencyMs: TOO_SLOW_MS }, (result) => typeof result === 'number' || result === 'gone'],
  ['refusing one key', { rejectKeys: ['refused'] }, (result) => result === 422],
]

/**
 * While items change all the time, one of two destinations misbehaves in each way in turn, until requests have met it, and recovers; the other one must
 * not notice. What is refused alone becomes a dead letter alone.
 */
test(`a destination that misbehaves in every way is right in the end, and another does not notice (SEED=${SEED})`, {
  timeout: 400_000,
}, async () => {
  const { search, sandbox } = await openSearch()
  const sql = warehouse()
  const scene = await openScene([search, sql])
  onTestFinished(() => scene.close(), 120_000)
  const { flow } = scene
  const capture = scene.start({}, 'capture', 'erp')
  const deliveries = [await scene.deliver(search), await scene.deliver(sql)]
  await put(flow, 'refused', 'first')
  for (const subscriber of scene.subscribers) await untilHeld(scene, subscriber, 'refused', 'first')
  const changes = keepChanging(flow, SEED)
  const letters = () => countRecords(flow, deadLetterTopic(flow.prefix, 'search'))

  for (const [name, how, isMet] of WINDOWS) {
    sandbox.forgetRequests()
    await sandbox.misbehave(how)
    await put(flow, 'refused', name)
    const needed = how.rejectKeys === undefined ? MET : 1
    await eventually(
      () => sandbox.requests.filter(({ result }) => isMet(result)).length >= needed,
      () => `requests meet it: ${name}\n${scene.story()}`,
    )
    await untilHeld(scene, sql, 'refused', name)
    if (how.rejectKeys === undefined) expect(await letters(), name).toBe(0)
    else {
      await eventually(async () => (await letters()) === 1, 'the one that is refused is a dead letter')
      await put(flow, 'other', name)
      await untilHeld(scene, search, 'other', name)
    }
    await sandbox.misbehave({})
  }
  await put(flow, 'refused', 'taken again')
  await changes.stop()
  await expectGuarantees(scene)
  await endWell(scene, capture, ...deliveries)
})
