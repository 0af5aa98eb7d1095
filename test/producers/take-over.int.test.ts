import { afterAll, beforeAll, expect, test } from 'vitest'
import { createProducer } from '../../connectors/kafka/producer.ts'
import { takeOverFences } from '../../producers/fence.ts'
import { loadStored, positionRecord } from '../../producers/positions.ts'
import { captureDeadLetterTopic, positionsTopic } from '../../schemas/topics.ts'
import { type OwnTopics, ownTopics } from '../connectors/kafka/own-topics.ts'

let own: OwnTopics

beforeAll(async () => {
  own = await ownTopics()
})

afterAll(async () => {
  await own?.close()
})

test('once a source is taken over, what its former holder still has under way is not stored any more', async () => {
  const prefix = own.name('').slice(0, -1)
  await own.make('positions')
  await own.make('erp.capture-dead-letter', { partitions: 3 })
  const position = (at: bigint) => positionRecord(prefix, 'erp', { position: at, mark: 'm' })
  const former = createProducer(own.kafka, `${prefix}.erp`)
  const present = createProducer(own.kafka, `${prefix}.erp`)
  try {
    await former.connect()
    await former.send([position(100n)])
    await present.connect()
    const fences = await takeOverFences(own.kafka, own.brokers, prefix, 'erp')
    expect(new Map(fences.map(({ topic }) => [topic, fences.filter((one) => one.topic === topic).length]))).toEqual(
      new Map([
        [positionsTopic(prefix), 1],
        [captureDeadLetterTopic(prefix, 'erp'), 3],
      ]),
    )
    await present.send(fences)
    await expect(former.send([position(110n)])).rejects.toMatchObject({ code: 'publish-failed' })
    expect(await loadStored(own.kafka, own.brokers, prefix, 'erp')).toEqual({
      values: new Map(),
      position: { position: 100n, mark: 'm' },
    })
  } finally {
    await Promise.allSettled([former.close(), present.close()])
  }
})
