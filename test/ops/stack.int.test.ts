import { expect, test } from 'vitest'
import { serverIsReady } from '../../ops/stack/servers/probes.ts'

test('the stack of the run serves', async () => {
  expect(await serverIsReady('kafka', Number(process.env.TRIBUTARY_KAFKA_BROKERS?.split(':')[1]))).toBe(true)
  console.log(process.env.TRIBUTARY_REGISTRY_URL, process.env.TRIBUTARY_REDIS_URL)
})
