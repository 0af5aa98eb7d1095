import { expect, onTestFinished, test } from 'vitest'
import { captureDeadLetterTopic, deadLetterTopic } from '../../schemas/topics.ts'
import { createFlow } from '../support/flow.ts'
import { ageLedger } from '../support/old-ledger.ts'
import { untilQuiet } from '../support/quiet.ts'
import { differences } from '../support/rows.ts'
import { countRecords, outdatedRows, readHistory, staleTails } from '../support/topics/topic-history.ts'
import { type Fault, inflict, planFault } from './workload/faults.ts'
import { startFleet } from './workload/fleet.ts'
import { chosenSeed, seededRandom } from './workload/random.ts'
import { startSessions } from './workload/sessions.ts'
import { declare, SOURCE_SQL, TABLES } from './workload/tables.ts'

const CHAOS_MS = 1_000 * Number(process.env.CHAOS_SECONDS ?? 40)
const RUNS = Number(process.env.CHAOS_RUNS ?? 1)
const SESSIONS = 3
const FIRST_SEED = chosenSeed()
const COMMANDS = {
  capture: ['capture', 'erp'],
  'delivery 1': ['deliver', 'warehouse'],
  'delivery 2': ['deliver', 'warehouse'],
}

for (let run = 0; run < RUNS; run++) {
  const seed = FIRST_SEED + run
  test(
    `after any workload under any faults, and quiet, the warehouse equals the source (SEED=${seed})`,
    {
      timeout: CHAOS_MS + 400_000,
    },
    () => runChaos(seed),
  )
}

async function runChaos(seed: number): Promise<void> {
  const flow = await createFlow(declare, SOURCE_SQL)
  onTestFinished(() => flow.close(), 120_000)
  await flow.provision()
  await ageLedger(flow)
  const fleet = startFleet(flow, COMMANDS)
  const sessions = startSessions(flow, seed, SESSIONS)
  const random = seededRandom(seed, 'faults')
  const faults: Fault[] = []
  const over = AbortSignal.timeout(CHAOS_MS)
  while (!over.aborted) {
    const fault = planFault(random, fleet.members, seed % 2 === 0)
    faults.push(fault)
    await inflict(flow, fleet, fault, over)
  }
  await sessions.stop()
  fleet.heal()
  const story = () =>
    `SEED=${seed}, after ${JSON.stringify(sessions.done())}, ${JSON.stringify(faults)}\n${fleet.log()}`

  await untilQuiet(flow).catch((error) => {
    throw new Error(story(), { cause: error })
  })
  expect(await differences(flow, TABLES), story()).toEqual([])
  for (const { entity, warehouse } of TABLES) {
    const histories = await readHistory(flow, entity)
    expect(staleTails(entity, histories), story()).toEqual([])
    expect(await outdatedRows(flow, entity, warehouse, histories), story()).toEqual([])
  }
  expect(await countRecords(flow, deadLetterTopic(flow.prefix, 'warehouse')), story()).toBe(0)
  expect(await countRecords(flow, captureDeadLetterTopic(flow.prefix, 'erp')), story()).toBe(0)
  expect(sessions.done().ended, 'the workload did something').toBeGreaterThan(100)
  expect(await fleet.stop()).toEqual([0, 0, 0])
}
