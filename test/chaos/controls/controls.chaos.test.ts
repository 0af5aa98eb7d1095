import { expect, test } from 'vitest'
import { check } from '../checker/check.ts'
import { failures, type Guarantee } from '../checker/verdict.ts'
import type { RunHistory } from '../histories/history.ts'
import { CAPTURE_SCENARIOS } from './capture-scenarios.ts'
import { DELIVERY_SCENARIOS } from './delivery-scenarios.ts'
import { play } from './play.ts'

/** What every run is looked at for: a checker that has compared nothing accuses nobody. */
const TRIED: readonly Guarantee[] = ['G1', 'G2', 'G4', 'G6', 'G7']
/** `CONTROL_RUNS` in the environment: how often each scenario is played. */
const RUNS = Number(process.env.CONTROL_RUNS ?? 1)
const RUN_MS_MAX = 400_000

const SCENARIOS = [...DELIVERY_SCENARIOS, ...CAPTURE_SCENARIOS].map(
  (scenario) => [scenario.flaw.name, scenario] as const,
)

test.each(SCENARIOS)(
  'the checker notices that %s, and accuses no build that is whole',
  { timeout: RUNS * RUN_MS_MAX },
  async (name, scenario) => {
    for (let run = 0; run < RUNS; run++) {
      const startedMs = performance.now()
      const [broken, whole] = await Promise.all([play(scenario, scenario.flaw), play(scenario, null)])
      const found = violated(broken)
      console.log(`${name}: ${found.join(', ')}, in ${Math.round((performance.now() - startedMs) / 1000)} s`)
      expect(failures(check(whole), TRIED)).toEqual([])
      expect(found).toEqual(expect.arrayContaining([...scenario.breaks]))
      expect(found, 'the histories are whole').not.toContain('recording')
    }
  },
)

function violated(run: RunHistory): string[] {
  return check(run).flatMap(({ guarantee, violations }) => (violations.length > 0 ? [guarantee] : []))
}
