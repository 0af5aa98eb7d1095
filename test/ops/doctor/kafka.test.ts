import { expect, test } from 'vitest'
import type { TopicSettings } from '../../../connectors/kafka/admin.ts'
import { decideBrokers, decideReplicas, decideSettings } from '../../../ops/doctor/kafka/brokers.ts'
import { decideTopics } from '../../../ops/doctor/kafka/topics.ts'

const brokersOf = (brokers: readonly number[], replication: number) => decideBrokers('kafka', brokers, replication)[0]!

test('replication has to fit the brokers, and to survive the loss of one', () => {
  expect(brokersOf([1, 2, 3], 3)).toMatchObject({ result: 'ok', found: '3 brokers (1, 2, 3), replication 3' })
  expect(brokersOf([1], 1)).toMatchObject({ result: 'ok', found: expect.stringContaining('for one machine') })
  expect(brokersOf([1, 2, 3], 1)).toMatchObject({ result: 'warn', found: expect.stringContaining('lost with it') })
  expect(brokersOf([1, 2, 3], 2)).toMatchObject({
    result: 'warn',
    found: expect.stringContaining('min.insync.replicas is 1'),
  })
  expect(brokersOf([1], 3)).toMatchObject({ result: 'fail', todo: expect.stringContaining('replication: 1') })
})

test('what brokers do by themselves is a warning that names them', () => {
  const settings = (create: string, unclean: string) => ({
    'auto.create.topics.enable': create,
    'unclean.leader.election.enable': unclean,
  })
  const off = { broker: 1, settings: settings('false', 'false') }
  expect(decideSettings('kafka', [off])).toMatchObject([{ result: 'ok' }])
  const both = decideSettings('kafka', [off, { broker: 2, settings: settings('true', 'true') }])
  expect(both).toMatchObject([
    {
      result: 'warn',
      found: expect.stringContaining('broker 2'),
      todo: expect.stringContaining('auto.create.topics.enable=false'),
    },
    { result: 'warn', todo: expect.stringContaining('kafka-configs.sh') },
  ])
})

test('copies that are missing or not in step are told by topic', () => {
  const wanted = new Map([['shop.order', { replication: 3, inSyncMin: 2 }]])
  const decide = (replicas: number, inSync: number) =>
    decideReplicas('kafka', [{ topic: 'shop.order', partition: 0, replicas, inSync }], wanted)[0]!
  expect(decide(3, 3)).toMatchObject({ result: 'ok', subject: 'kafka' })
  expect(decide(3, 2)).toMatchObject({ result: 'warn', subject: 'shop.order' })
  expect(decide(3, 1)).toMatchObject({ result: 'fail', found: expect.stringContaining('nothing can be written') })
  expect(decide(2, 2)).toMatchObject({ result: 'warn', found: '2 of 3 declared copies' })
})

const TOPIC: TopicSettings = {
  topic: 'shop.order',
  partitions: 6,
  replication: 1,
  configs: { 'cleanup.policy': 'compact', 'segment.ms': '1000' },
}
const topicsOf = (...present: TopicSettings[]) =>
  decideTopics('kafka', [TOPIC], new Map(present.map((one) => [one.topic, one])))

test('a topic is as declared, missing, of other partitions, or of other settings', () => {
  expect(topicsOf(TOPIC)).toMatchObject([{ result: 'ok', subject: 'kafka', found: expect.stringContaining('1 topic') }])
  expect(topicsOf()).toMatchObject([{ result: 'fail', subject: 'shop.order', todo: 'tributary provision' }])
  expect(topicsOf({ ...TOPIC, partitions: 3 })).toMatchObject([
    { result: 'fail', found: 'has 3 partitions, and 6 are declared', todo: expect.stringContaining('partitions: 3') },
  ])
  expect(topicsOf({ ...TOPIC, configs: { 'cleanup.policy': 'delete', 'segment.ms': '9' } })).toMatchObject([
    {
      result: 'fail',
      found: expect.stringContaining('cleanup.policy is delete instead of compact'),
      todo: 'tributary provision',
    },
    { result: 'warn', found: expect.stringContaining('segment.ms is 9 instead of 1000') },
  ])
})
