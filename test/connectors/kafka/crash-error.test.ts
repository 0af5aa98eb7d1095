import { KafkaJSConnectionError, KafkaJSNonRetriableError, KafkaJSNumberOfRetriesExceeded } from 'kafkajs'
import { expect, test } from 'vitest'
import { crashError } from '../../../connectors/kafka/consumer.ts'
import { fateOf, TributaryError } from '../../../schemas/errors.ts'

const ours = new TributaryError('fetch-gap', 'a gap')

test('an error of the library means that brokers are away, and keeps it as the cause', () => {
  const error = new KafkaJSConnectionError('refused')
  expect(crashError(error)).toMatchObject({ code: 'kafka-unreachable', cause: error })
})

test('what we threw inside the library comes back as it was, however it was wrapped', () => {
  expect(crashError(ours)).toBe(ours)
  const tooOften = new KafkaJSNumberOfRetriesExceeded(ours, { retryCount: 8, retryTime: 1, cause: ours } as never)
  expect(crashError(tooOften)).toBe(ours)
  const wrapped = Object.assign(new KafkaJSNonRetriableError('wrapped'), { cause: ours })
  expect(crashError(wrapped)).toBe(ours)
})

test('a defect stays a defect', () => {
  const defect = new TypeError('undefined is not a function')
  expect(crashError(defect)).toBe(defect)
  expect(fateOf(crashError(defect))).toBe('stop')
})
