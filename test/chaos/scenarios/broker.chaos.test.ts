import { onTestFinished, test } from 'vitest'
import { addressEnvironment } from '../../../ops/stack/addresses.ts'
import { type RunningStack, stackStatus } from '../../../ops/stack/stack.ts'
import { eventually } from '../../support/flow.ts'
import { leaveNoRoom } from '../../support/servers/no-room.ts'
import { startOwnStack } from '../../support/servers/own-stack.ts'
import { keepChanging } from '../delivery/items.ts'
import { warehouse } from '../delivery/subscribers.ts'
import { chosenSeed } from '../workload/random.ts'
import { endWell, expectGuarantees, expectRight, openScene, put, untilHeld } from './scene.ts'

const SEED = chosenSeed()
/** As long as a request may take (connectors/kafka/client.ts), and three times as long as a group waits for a member. */
const FROZEN_MS = 30_000
/** Less than a batch of the workload comes to in the end, so that an append is cut off in its middle. */
const BYTES_LEFT = 700

/**
 * While items change all the time, the broker of both processes is
 * - frozen for 30 s, with what it was sent in its sockets, and goes on
 * - stopped in good order and started again
 * - without room: no file of it may grow any more, so that an append fails in its middle and the broker ends itself; then there is room again
 */
test(`a broker that stalls for 30 s, is restarted, or runs out of disk in mid-append costs time only (SEED=${SEED})`, {
  timeout: 400_000,
}, async () => {
  const stack = await startOwnStack({ services: ['kafka'] })
  const sql = warehouse()
  const scene = await openScene([sql], addressEnvironment(stack.addresses))
  onTestFinished(() => scene.close(), 120_000)
  const { flow } = scene
  const capture = scene.start({}, 'capture', 'erp')
  const delivery = await scene.deliver(sql)
  await put(flow, 'first', 'first')
  await untilHeld(scene, sql, 'first', 'first')

  const whileFrozen = keepChanging(flow, SEED)
  const { pid } = await kafkaOf(stack)
  const since = performance.now()
  process.kill(pid!, 'SIGSTOP')
  try {
    await eventually(() => performance.now() - since > FROZEN_MS, 'it was frozen for long enough')
    await put(flow, 'frozen', 'changed while it was frozen')
  } finally {
    process.kill(pid!, 'SIGCONT')
  }
  await untilHeld(scene, sql, 'frozen', 'changed while it was frozen')
  await whileFrozen.stop()

  const whileRestarted = keepChanging(flow, SEED + 1)
  await stack.restart('kafka')
  await put(flow, 'restarted', 'changed after it')
  await untilHeld(scene, sql, 'restarted', 'changed after it')
  await whileRestarted.stop()
  await expectRight(scene)

  const whileFull = keepChanging(flow, SEED + 2)
  await leaveNoRoom(stack.dataDir, 'kafka', BYTES_LEFT)
  await eventually(async () => (await kafkaOf(stack)).state === 'stopped', 'the broker has ended itself')
  await put(flow, 'full', 'changed while it was away')
  await stack.restart('kafka')
  await untilHeld(scene, sql, 'full', 'changed while it was away')
  await whileFull.stop()
  await expectGuarantees(scene)
  await endWell(scene, capture, delivery)
})

async function kafkaOf({ dataDir }: RunningStack) {
  const { services } = await stackStatus({ dataDir, env: {} })
  return services.find(({ name }) => name === 'kafka')!
}
