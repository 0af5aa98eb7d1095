import { expect, onTestFinished, test } from 'vitest'
import { consumerGroup } from '../../../schemas/topics.ts'
import { eventually } from '../../support/flow.ts'
import { type GroupMembers, openGroupMembers } from '../../support/group-members.ts'
import { keepChanging } from '../delivery/items.ts'
import { warehouse } from '../delivery/subscribers.ts'
import { chosenSeed } from '../workload/random.ts'
import { endWell, expectGuarantees, openScene, put, untilHeld } from './scene.ts'

const SEED = chosenSeed()
const MEMBERS = 2
const REMOVALS_A_HALF = 6
/** A member that no answer reaches any more is made anew after 15 s (connectors/kafka/consumer.ts), and starts again after 15 s at most. */
const JOINS_WITHIN_MS = 90_000

/**
 * While items change, a member is put out of its group as soon as it has joined, whatever it has in hand, so that the group does nothing but
 * rebalance. Half-way both are put out while they wait for their partitions, which leaves them without an answer, and a third process
 * joins and leaves. Then the group is left alone.
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
  const until = (condition: () => Promise<boolean>, what: string) =>
    eventually(condition, () => `${what}\n${scene.story()}`, JOINS_WITHIN_MS)
  const capture = scene.start({}, 'capture', 'erp')
  const deliveries = [await scene.deliver(sql), await scene.deliver(sql)]
  await put(flow, 'first', 'first')
  await untilHeld(scene, sql, 'first', 'first')
  await until(async () => (await group.of(groupId)).length === MEMBERS, 'both are members')

  const changes = keepChanging(flow, SEED)
  const removed = new Set<string>()
  const removeEachThatJoins = async (times: number) => {
    for (let time = 0; time < times; time++) {
      let joined: string | undefined
      await until(async () => {
        joined = (await group.of(groupId)).find((member) => !removed.has(member))
        return joined !== undefined
      }, `one is a member again, after ${removed.size} removals`)
      removed.add(joined!)
      await group.remove(groupId, joined!)
    }
  }
  await removeEachThatJoins(REMOVALS_A_HALF)
  await leaveWithoutAnAnswer(group, groupId, until)
  const passing = await scene.deliver(sql)
  await until(async () => (await group.of(groupId)).length > MEMBERS, 'both are members again, and a third')
  await endWell(scene, passing)
  await removeEachThatJoins(REMOVALS_A_HALF)

  const changed = await changes.stop()
  await expectGuarantees(scene)
  await until(async () => (await group.of(groupId)).length === MEMBERS, 'both are members when it is over')
  await put(flow, 'last', 'last')
  await untilHeld(scene, sql, 'last', 'last')
  await endWell(scene, capture, ...deliveries)
  expect(changed, 'the workload did something').toBeGreaterThan(20)
})

/** Puts all members out while they wait for their partitions: the broker then never answers them. */
async function leaveWithoutAnAnswer(
  group: GroupMembers,
  groupId: string,
  until: (condition: () => Promise<boolean>, what: string) => Promise<void>,
): Promise<void> {
  const leader = await group.lead(groupId)
  const others = async () => (await group.of(groupId)).filter((member) => member !== leader.memberId)
  await until(async () => {
    await leader.turn()
    return (await others()).length === MEMBERS && (await group.state(groupId)) === 'CompletingRebalance'
  }, 'both wait for their partitions')
  for (const member of await others()) await group.remove(groupId, member)
  await leader.leave()
}
