import { expect, onTestFinished, test } from 'vitest'
import { addressEnvironment } from '../../ops/stack/addresses.ts'
import { stackStatus } from '../../ops/stack/stack.ts'
import { createFlow, eventually } from '../support/flow.ts'
import { ageLedger } from '../support/old-ledger.ts'
import { untilQuiet } from '../support/quiet.ts'
import { differences } from '../support/rows.ts'
import { startOwnStack } from '../support/servers/own-stack.ts'
import { readHistory, staleTails } from '../support/topics/topic-history.ts'
import { startFleet } from './workload/fleet.ts'
import { chosenSeed } from './workload/random.ts'
import { startSessions } from './workload/sessions.ts'
import { declare, SOURCE_SQL, TABLES } from './workload/tables.ts'

const SEED = chosenSeed()
/** Several times as long as an acknowledgement takes to reach the source (connectors/postgres/stream/reader.ts). */
const FROZEN_MS = 3_000

test(`what Kafka has not taken is not acknowledged, and a broker that is frozen or killed loses nothing (SEED=${SEED})`, {
  timeout: 400_000,
}, async () => {
  const stack = await startOwnStack({ services: ['kafka'] })
  const flow = await createFlow(declare, SOURCE_SQL, addressEnvironment(stack.addresses))
  onTestFinished(() => flow.close(), 120_000)
  await flow.provision()
  await ageLedger(flow)
  const fleet = startFleet(flow, { capture: ['capture', 'erp'], delivery: ['deliver', 'warehouse'] })
  const story = () => `SEED=${SEED}\n${fleet.log()}`
  await untilQuiet(flow).catch((error) => {
    throw new Error(story(), { cause: error })
  })
  const { services } = await stackStatus({ dataDir: stack.dataDir, env: {} })
  const { pid } = services.find(({ name }) => name === 'kafka')!
  process.kill(pid!, 'SIGSTOP')
  try {
    const sessions = startSessions(flow, SEED, 2)
    const frozenSince = performance.now()
    await eventually(() => performance.now() - frozenSince > FROZEN_MS, 'Kafka was frozen for long enough')
    await sessions.stop()
    await fleet.replace('capture')
  } finally {
    process.kill(pid!, 'SIGCONT')
  }
  await untilQuiet(flow).catch((error) => {
    throw new Error(story(), { cause: error })
  })
  expect(await differences(flow, TABLES), story()).toEqual([])

  const sessions = startSessions(flow, SEED + 1, 2)
  await stack.kill('kafka')
  await stack.restart('kafka')
  await sessions.stop()
  await untilQuiet(flow).catch((error) => {
    throw new Error(story(), { cause: error })
  })
  expect(await differences(flow, TABLES), story()).toEqual([])
  for (const { entity } of TABLES) expect(staleTails(entity, await readHistory(flow, entity)), story()).toEqual([])
  expect(await fleet.stop()).toEqual([0, 0])
})
