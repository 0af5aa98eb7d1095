import { onTestFinished } from 'vitest'
import { startOwnStack } from '../../support/servers/own-stack.ts'
import type { RunHistory } from '../histories/history.ts'
import type { Flaw } from './flaw.ts'
import type { Scenario } from './scenario.ts'
import { Stage } from './stage.ts'

/**
 * Plays a scenario from beginning to quiet.
 * @param flaw null for the build as it is
 */
export async function play(scenario: Scenario, flaw: Flaw | null): Promise<RunHistory> {
  const redis = scenario.ownRedis ? await startOwnStack({ services: ['redis'] }) : null
  const settings = redis === null ? {} : { TRIBUTARY_REDIS_URL: redis.addresses.redisUrl }
  const stage = await Stage.open(flaw, scenario.part, settings)
  onTestFinished(() => stage.close(), 120_000)
  await scenario.happen(stage, redis)
  const history = await stage.history()
  stage.requireBroken()
  return history
}
