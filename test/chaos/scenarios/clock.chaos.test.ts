import { onTestFinished, test } from 'vitest'
import { clockOff } from '../../support/clock-settings.ts'
import { warehouse } from '../delivery/subscribers.ts'
import { endWell, expectGuarantees, openScene, put, untilHeld } from './scene.ts'

/** A little more than an hour: a broker refuses records whose time is an hour ahead of its own, unless the topic has its own time. */
const OFF_MS = 3_700_000

/**
 * A capture that is an hour ahead publishes 1, which a delivery an hour behind applies; the one is killed, the other
 * ended; the other way round they go on with 2.
 */
test('clocks that are an hour ahead or behind change neither what is published, nor its order, nor what is applied', {
  timeout: 400_000,
}, async () => {
  const sql = warehouse()
  const scene = await openScene([sql])
  onTestFinished(() => scene.close(), 120_000)
  const { flow } = scene
  const startWith = async (captureMs: number) => [
    scene.start(clockOff(captureMs), 'capture', 'erp'),
    await scene.deliver(sql, clockOff(-captureMs)),
  ]
  await put(flow, 'changed', 'first')
  await put(flow, 'deleted', 'first')

  const former = await startWith(OFF_MS)
  await untilHeld(scene, sql, 'changed', 'first')
  await put(flow, 'changed', 'second')
  await flow.source`DELETE FROM items WHERE id = 'deleted'`
  await untilHeld(scene, sql, 'changed', 'second')
  await untilHeld(scene, sql, 'deleted', null)
  former[0]!.kill('SIGKILL')
  former[1]!.kill('SIGTERM')
  await Promise.all(former.map(({ exited }) => exited))

  const latter = await startWith(-OFF_MS)
  await put(flow, 'changed', 'third')
  await put(flow, 'deleted', 'again')
  await untilHeld(scene, sql, 'changed', 'third')
  await put(flow, 'changed', 'fourth')
  await expectGuarantees(scene)
  await endWell(scene, ...latter)
})
