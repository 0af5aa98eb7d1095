import { expect, test } from 'vitest'
import { requireAnswers } from '../../../connectors/kafka/producer.ts'

const sent = [
  { topic: 'p.customer', messages: { partitions: [0, 1] } },
  { topic: 'p.order', messages: { partitions: [2] } },
]
const answer = (topicName: string, partition: number) => ({ topicName, partition })

test('a send counts only when a broker has answered for every partition', () => {
  expect(() =>
    requireAnswers(sent, [answer('p.customer', 1), answer('p.order', 2), answer('p.customer', 0)]),
  ).not.toThrow()
})

test('a partition that moved to a broker which had answered already, and was sent nowhere, is no success', () => {
  expect(() => requireAnswers(sent, [answer('p.customer', 0), answer('p.order', 2)])).toThrowError('p.customer/1')
  expect(() => requireAnswers(sent, [])).toThrowError('p.customer/0')
})
