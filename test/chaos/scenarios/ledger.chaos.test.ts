import { stat, truncate } from 'node:fs/promises'
import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { addressEnvironment } from '../../../ops/stack/addresses.ts'
import { eventually, type FlowProcess } from '../../support/flow.ts'
import { openRedisProxy } from '../../support/proxies/redis-proxy.ts'
import { startOwnStack } from '../../support/servers/own-stack.ts'
import { redisLog } from '../../support/servers/redis-log.ts'
import { genericHttp, warehouse } from '../delivery/subscribers.ts'
import { endWell, expectGuarantees, expectRight, openScene, put, type Scene, untilHeld } from './scene.ts'

const TIMES = { timeoutMs: 2_000, lateRequestMs: 4_000 }
/** Times that a delivery said that it waits: so often it has tried. */
const TRIES = 3

/**
 * 1. Redis is full: a change is not sent, by nobody, and arrives once there is room.
 * 2. `a` is applied and recorded; of `b` the answer to what records it comes when it was given up; of `c` what records it is itself on the way
 *    until it was given up, `c` was sent again and `d` recorded: then it lands, and must not make the next `c` look applied.
 * 3. `x` is applied and recorded, then `y`; Redis is killed and has lost the recording of `y`; the next change makes it `x` again, which the
 *    ledger takes for applied.
 */
test('a ledger that is full, answers late, or was killed and lost its last second costs repeats, and skips nothing', {
  timeout: 400_000,
}, async () => {
  const stack = await startOwnStack({ services: ['redis'] })
  const subscribers = [warehouse(), await genericHttp(TIMES)]
  const scene = await openScene(subscribers, addressEnvironment(stack.addresses))
  onTestFinished(() => scene.close(), 120_000)
  const capture = scene.start({}, 'capture', 'erp')
  const ways = await Promise.all(subscribers.map(() => openRedisProxy(stack.addresses.redisUrl)))
  onTestFinished(async () => void (await Promise.all(ways.map((way) => way.close()))))
  const deliveries = await Promise.all(
    subscribers.map((one, at) => scene.deliver(one, { TRIBUTARY_REDIS_URL: ways[at]!.url })),
  )
  await changeTo(scene, 'a')
  const redis = new Redis(stack.addresses.redisUrl, { retryStrategy: () => 100, maxRetriesPerRequest: null })
  redis.on('error', () => {})
  onTestFinished(() => redis.disconnect())

  await redis.config('SET', 'maxmemory', '1')
  const before = deliveries.map(waits)
  await put(scene.flow, 'k', 'full')
  await eventually(
    () => deliveries.every((one, at) => waits(one) >= before[at]! + TRIES),
    () => `deliveries say that they wait\n${scene.story()}`,
  )
  for (const one of subscribers) expect((await one.held(scene.flow)).get('k')?.name, scene.story()).toBe('a')
  for (const one of deliveries) expect(one.log()).toMatch(/takes no writes .*Give it memory/)
  await redis.config('SET', 'maxmemory', '0')
  await untilAllHold(scene, 'full')

  const answers = ways.map((way) => way.catch('answer', 'settle'))
  await put(scene.flow, 'k', 'b')
  await Promise.all(answers.map(({ arrived }) => arrived))
  await untilWaiting(scene, deliveries)
  for (const answer of answers) answer.release()
  await changeTo(scene, 'b again')
  const requests = ways.map((way) => way.catch('request', 'settle'))
  await put(scene.flow, 'k', 'c')
  await Promise.all(requests.map(({ arrived }) => arrived))
  await untilWaiting(scene, deliveries)
  await changeTo(scene, 'd')
  for (const request of requests) request.release()
  await changeTo(scene, 'c')
  await expectRight(scene)

  await changeTo(scene, 'x')
  await expectRight(scene)
  const log = redisLog(stack)
  const lost = (await stat(log)).size
  await changeTo(scene, 'y')
  await expectRight(scene)
  expect((await stat(log)).size, 'the ledger went on').toBeGreaterThan(lost)
  await stack.kill('redis')
  await truncate(log, lost)
  await put(scene.flow, 'k', 'x')
  await stack.restart('redis')
  await untilAllHold(scene, 'x')
  await expectGuarantees(scene)
  await endWell(scene, capture, ...deliveries)
})

/** Changes the item, and waits until all have it. */
async function changeTo(scene: Scene, name: string): Promise<void> {
  await put(scene.flow, 'k', name)
  await untilAllHold(scene, name)
}

async function untilAllHold(scene: Scene, name: string): Promise<void> {
  for (const subscriber of scene.subscribers) await untilHeld(scene, subscriber, 'k', name)
}

function waits(delivery: FlowProcess): number {
  return delivery.log().split('waits"').length - 1
}

/** Waits until each of them says once more that it waits. */
async function untilWaiting(scene: Scene, deliveries: readonly FlowProcess[]): Promise<void> {
  const before = deliveries.map(waits)
  await eventually(
    () => deliveries.every((one, at) => waits(one) > before[at]!),
    () => `deliveries give up what has no answer\n${scene.story()}`,
  )
}
