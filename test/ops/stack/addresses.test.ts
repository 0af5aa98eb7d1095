import { expect, test } from 'vitest'
import {
  addressEnvironment,
  givenAddresses,
  toAddresses,
  withoutAddresses,
  withoutPassword,
} from '../../../ops/stack/addresses.ts'

test.each([
  ['postgres://postgres:s3cret@127.0.0.1:5432/postgres', 'postgres://postgres:***@127.0.0.1:5432/postgres'],
  ['postgres://app:p@ss@host/db', 'postgres://app:***@host/db'],
  ['redis://:s3cret@127.0.0.1:6379', 'redis://:***@127.0.0.1:6379'],
  ['https://user:s3cret@registry.example/apis', 'https://user:***@registry.example/apis'],
  ['redis://127.0.0.1:6379', 'redis://127.0.0.1:6379'],
  ['127.0.0.1:9092,127.0.0.1:9093', '127.0.0.1:9092,127.0.0.1:9093'],
])('%s is shown as %s', (address, shown) => {
  expect(withoutPassword(address)).toBe(shown)
})

test('addresses go through the environment and come back', () => {
  const addresses = toAddresses({ kafka: '127.0.0.1:9092', redis: 'redis://127.0.0.1:6379' })
  const variables = addressEnvironment(addresses)
  expect(variables).toEqual({
    TRIBUTARY_KAFKA_BROKERS: '127.0.0.1:9092',
    TRIBUTARY_REDIS_URL: 'redis://127.0.0.1:6379',
  })
  expect(toAddresses(givenAddresses(variables))).toEqual(addresses)
})

test('an environment can be freed of given addresses and keeps the rest', () => {
  expect(withoutAddresses({ PATH: '/bin', TRIBUTARY_REDIS_URL: 'redis://127.0.0.1:6379' })).toEqual({ PATH: '/bin' })
})
