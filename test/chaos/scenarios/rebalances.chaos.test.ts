import { expect, onTestFinished, test } from 'vitest'
import { consumerGroup } from '../../../schemas/topics.ts'
import { eventually } from '../../support/flow.ts'
import { openGroupMembers } from '../../support/group-members.ts'
import { keepChanging } from '../delivery/items.ts'
import { warehouse } from '../delivery/subscribers.ts'
import { chosenSeed } from '../workload/random.ts'
import { endWell, expectGuarantees, openScene, put, untilHeld } from './scene.ts'

const SEED = chosenSeed()
const MEMBERS = 2
const REMOVALS = 20
/** A member that hears nothing of its group is made anew after a minute (consumers/pipeline.ts), and the group waits for it for half of one. */
const JOINS_WITHIN_MS = 150_000

/**
 * While items change, a member is put out of its group as soon as it has joined, whatever it has in hand: twenty times, so that the group does
 * nothing but rebalance; half-way a third process joins and leaves. Then the group is left alone.
 */
test(`a group that rebalances without end loses nothing and sets nothing back, and is as before when it ends (SEED=${SEED})`, {
  timeout: 400_000,
}, async () => {
  const sql = warehouse()
  const scene = await openScene([sql])
  onTestFinished(() => scene.close(), 120_000)
  const { flow } = scene
  const group = await openGroupMembers()
  onTestFinished(() => group.close())
  const groupId = consumerGroup(flow.prefix, 'warehouse', 'standard')
  const capture = scene.start({}, 'capture', 'erp')
  const deliveries = [await scene.deliver(sql), await scene.deliver(sql)]
  await put(flow, 'first', 'first')
  await untilHeld(scene, sql, 'first', 'first')
  await eventually(async () => (await group.of(groupId)).length === MEMBERS, 'both are members')

  const changes = keepChanging(flow, SEED)
  const removed = new Set<string>()
  for (let time = 0; time < REMOVALS; time++) {
    if (time === REMOVALS / 2) {
      const passing = await scene.deliver(sql)
      await eventually(
        async () => (await group.of(groupId)).length > MEMBERS,
        () => `a third has joined\n${scene.story()}`,
        JOINS_WITHIN_MS,
      )
      await endWell(scene, passing)
    }
    const joined = async () => (await group.of(groupId)).find((member) => !removed.has(member))
    await eventually(
      async () => (await joined()) !== undefined,
      () => `one is a member again, after ${time} removals\n${scene.story()}`,
      JOINS_WITHIN_MS,
    )
    const member = (await joined())!
    removed.add(member)
    // It may have left by itself meanwhile.
    await group.remove(groupId, member).catch((error: unknown) => {
      if ((error as { type?: string }).type !== 'UNKNOWN_MEMBER_ID') throw error
    })
  }
  expect(removed.size).toBe(REMOVALS)
  const changed = await changes.stop()
  await expectGuarantees(scene)
  await eventually(async () => (await group.of(groupId)).length === MEMBERS, 'both are members again', JOINS_WITHIN_MS)
  await put(flow, 'last', 'last')
  await untilHeld(scene, sql, 'last', 'last')
  await endWell(scene, capture, ...deliveries)
  expect(changed, 'the workload did something').toBeGreaterThan(20)
})
