import { expect, test } from 'vitest'
import { plainToTls, refusalOf } from '../../../connectors/kafka/refusal.ts'
import { TributaryError } from '../../../schemas/errors.ts'

/** An error as the library makes it. */
function raised(name: string, message: string, more: object = {}): Error {
  return Object.assign(new Error(message), { name, ...more })
}

/** As its retries wrap one. */
function wrapped(cause: Error): Error {
  return Object.assign(raised('KafkaJSNumberOfRetriesExceeded', cause.message), { cause })
}

test.each([
  [
    'a user or password that is refused',
    raised('KafkaJSSASLAuthenticationError', 'SASL PLAIN authentication failed: Invalid username or password'),
    /refuses the user: SASL PLAIN.*Check kafka\.sasl/,
  ],
  [
    'a mechanism that is not offered',
    raised('KafkaJSProtocolError', 'not supported', { type: 'UNSUPPORTED_SASL_MECHANISM' }),
    /does not offer this mechanism/,
  ],
  [
    'a user where none is asked for',
    raised('KafkaJSProtocolError', 'no', { type: 'ILLEGAL_SASL_STATE' }),
    /Remove kafka\.sasl/,
  ],
  [
    'a right that is missing',
    raised('KafkaJSProtocolError', 'Not authorized to access topics: [Topic authorization failed]', {
      type: 'TOPIC_AUTHORIZATION_FAILED',
    }),
    /does not give us a right on a topic .*Grant it to the user of kafka\.sasl/,
  ],
  [
    'a certificate',
    raised('KafkaJSConnectionError', 'Connection error: self-signed certificate', {
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
      broker: 'kafka:9093',
    }),
    /^Kafka at kafka:9093 has a certificate of an authority that is not trusted.*kafka\.tls\.ca\.$/,
  ],
])('%s stops, however the library wraps it', (_, error, text) => {
  for (const one of [error, wrapped(error), wrapped(wrapped(error))]) {
    const refusal = refusalOf(one)
    expect(refusal).toMatchObject({ code: 'kafka-unsuitable', fate: 'stop', cause: one })
    expect(refusal?.message).toMatch(text)
  }
})

test('one of several that came together is enough', () => {
  const denied = raised('KafkaJSCreateTopicError', 'Cluster authorization failed', {
    type: 'CLUSTER_AUTHORIZATION_FAILED',
  })
  const several = raised('KafkaJSAggregateError', 'Topic creation errors', { errors: [denied] })
  expect(refusalOf(several)?.message).toMatch(/^Kafka does not give us a right on the cluster/)
})

test.each([
  raised('KafkaJSConnectionError', 'Connection error: connect ECONNREFUSED', { code: 'ECONNREFUSED' }),
  raised('KafkaJSConnectionClosedError', 'Closed connection'),
  raised('KafkaJSRequestTimeoutError', 'Request SaslAuthenticate(key: 36, version: 1) timed out'),
  raised('KafkaJSProtocolError', 'no leader', { type: 'LEADER_NOT_AVAILABLE' }),
  new TributaryError('kafka-unreachable', 'away', { cause: raised('KafkaJSSASLAuthenticationError', 'no') }),
])('what may pass is none (%#)', (error) => {
  expect([refusalOf(error), refusalOf(wrapped(error))]).toEqual([undefined, undefined])
})

test('a refusal stays the one that it is', () => {
  const refusal = plainToTls(['kafka:9093'], new Error('closed'))
  expect(refusalOf(wrapped(refusal))).toBe(refusal)
})
