import type { Mechanism } from 'kafkajs'
import { expect, test } from 'vitest'
import { securityOptions } from '../../../connectors/kafka/security.ts'

const LOGIN = { username: 'pipeline', password: 'canary' }
const logger = { namespace: () => logger, info() {}, error() {}, warn() {}, debug() {}, setLogLevel() {} }

/** What logging in throws when the exchange with the broker fails. */
async function failedLogin(mechanism: 'plain' | 'scram-sha-512', error: Error): Promise<unknown> {
  const { sasl } = securityOptions({ sasl: { mechanism, ...LOGIN } })
  const saslAuthenticate = () => Promise.reject(error)
  const { authenticate } = (sasl as Mechanism).authenticationProvider({ host: 'h', port: 1, logger, saslAuthenticate })
  return await authenticate().catch((thrown) => thrown)
}

test.each(['plain', 'scram-sha-512'] as const)(
  'by %s a connection that breaks while we log in is no refusal',
  async (mechanism) => {
    const broken = Object.assign(new Error('Closed connection'), { name: 'KafkaJSConnectionClosedError' })
    expect(await failedLogin(mechanism, broken)).toBe(broken)
    const refused = Object.assign(new Error('invalid credentials'), { name: 'KafkaJSProtocolError' })
    expect(await failedLogin(mechanism, refused)).toMatchObject({ name: 'KafkaJSSASLAuthenticationError' })
  },
)

test('the check of certificates is asked for, and a name only where one is declared', () => {
  const { ssl } = securityOptions({ tls: { ca: 'pem' } })
  expect(ssl).toStrictEqual({ ca: 'pem', rejectUnauthorized: true, minVersion: 'TLSv1.2' })
  expect(securityOptions({})).toStrictEqual({})
})
