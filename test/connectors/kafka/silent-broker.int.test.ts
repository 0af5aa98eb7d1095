import { afterAll, beforeAll, test } from 'vitest'
import { connectKafka } from '../../../connectors/kafka/client.ts'
import { eventually } from '../../support/flow.ts'
import { type GroupMembers, openGroupMembers } from '../../support/group-members.ts'
import { openKafkaProxy } from '../../support/proxies/kafka-proxy.ts'
import { makeReader, type OwnTopics, ownTopics, recordFor, startReader } from './own-topics.ts'

let own: OwnTopics
let group: GroupMembers

beforeAll(async () => {
  own = await ownTopics()
  group = await openGroupMembers()
})

afterAll(async () => {
  await group?.close()
  await own?.close()
})

test.concurrent('a member whose broker falls silent is given up, and its successor goes on', async ({
  expect,
  onTestFinished,
}) => {
  const proxy = await openKafkaProxy(own.brokers[0]!)
  onTestFinished(() => proxy.close())
  const kafka = connectKafka({ brokers: [proxy.address], clientId: 'test', log: () => {} })
  const topic = await own.make('silent')
  const groupId = own.name('silent-group')
  const first = await startReader(kafka, groupId, [topic])
  await own.send([recordFor(topic, 'a')])
  await eventually(() => first.records.length === 1, 'the first record is read')
  proxy.stall()
  await eventually(() => first.crashes.length > 0, 'the member is given up')
  expect(first.crashes).toMatchObject([{ code: 'kafka-unreachable', message: expect.stringContaining('unanswered') }])
  await expect(first.consumer.commit([{ topic, partition: 0, next: 1n }])).rejects.toThrow('unanswered')
  await first.consumer.close()
  proxy.heal()
  const second = await startReader(kafka, groupId, [topic])
  await eventually(() => second.records.length === 1, 'the successor has the partition')
  await second.consumer.close()
  expect(second.crashes).toEqual([])
})

test.concurrent('a member that is put out while it waits for its partitions is given up: the broker never answers it', async ({
  expect,
}) => {
  const topic = await own.make('put-out')
  const groupId = own.name('put-out-group')
  const leader = await group.lead(groupId)
  const followers = async () => (await group.of(groupId)).filter((member) => member !== leader.memberId)
  const reader = makeReader(own.kafka, groupId, [topic])
  const started = reader.consumer.start()
  await eventually(() => leader.turn(), 'the leader has a follower')
  await leader.handOut()
  await started
  for (const member of await followers()) await group.remove(groupId, member)
  await eventually(async () => {
    // The follower joins again, and nobody hands out partitions.
    const rejoined = await leader.turn()
    if (rejoined) for (const member of await followers()) await group.remove(groupId, member)
    return reader.crashes.length > 0
  }, 'the follower is given up')
  expect(reader.crashes).toMatchObject([{ code: 'kafka-unreachable', message: expect.stringContaining('SyncGroup') }])
  await reader.consumer.close()
})

test.concurrent('a member that is closed while it joins does not wait for the group, and does not come back', async ({
  expect,
}) => {
  const topic = await own.make('joining')
  const groupId = own.name('joining-group')
  const leader = await group.lead(groupId)
  const reader = makeReader(own.kafka, groupId, [topic], { rebalanceTimeoutMs: 60_000 })
  const started = reader.consumer.start()
  await eventually(async () => (await group.of(groupId)).length === 2, 'the group waits for its leader')
  await reader.consumer.close()
  await started
  expect(await group.state(groupId)).toBe('PreparingRebalance')
  await eventually(async () => {
    if (await leader.turn()) await leader.handOut()
    return (await group.of(groupId)).length === 1
  }, 'the leader is alone again')
  expect(reader).toMatchObject({ assigned: 0, crashes: [] })
})
