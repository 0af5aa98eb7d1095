import { expect, it } from 'vitest'
import type { Declaration } from '../../../ops/declaration/declaration.ts'
import { planTopics, wantedTopics } from '../../../ops/provision/topics.ts'

const DAY_MS = 24 * 3_600_000

function declaration(erasureMs: number): Declaration {
  return {
    name: 'shop',
    kafka: { brokers: [], replication: 1 },
    topics: { deleteRetentionMs: 7 * DAY_MS, erasureMs, minCompactionLagMs: 3_600_000 },
    entities: new Map(),
    sources: new Map(),
    subscribers: new Map([['crm', {}]]),
  } as unknown as Declaration
}

const commandsOf = (erasureMs: number) =>
  wantedTopics(declaration(erasureMs)).find(({ topic }) => topic === 'shop.crm.commands')!

it('a subscriber has a commands topic of one partition, which forgets after seven days', () => {
  expect(commandsOf(30 * DAY_MS)).toMatchObject({
    partitions: 1,
    configs: { 'cleanup.policy': 'compact,delete', 'retention.ms': String(7 * DAY_MS) },
  })
})

it('commands name keys, so they are gone within the erasure time', () => {
  const { configs } = commandsOf(2 * DAY_MS)
  expect(Number(configs['retention.ms']) + Number(configs['segment.ms'])).toBeLessThanOrEqual(2 * DAY_MS)
})

it('a commands topic that keeps its records for another time is altered', () => {
  const wanted = commandsOf(30 * DAY_MS)
  const present = { ...wanted, configs: { ...wanted.configs, 'retention.ms': '1' } }
  expect(planTopics([wanted], new Map([[wanted.topic, present]]))).toMatchObject([
    { action: 'alter', changes: { 'retention.ms': String(7 * DAY_MS) } },
  ])
})
