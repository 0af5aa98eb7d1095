import { expect, test } from 'vitest'
import { check } from '../checker/check.ts'
import { DELIVERY_SCENARIOS } from './delivery-scenarios.ts'
import { play } from './play.ts'

test.each(DELIVERY_SCENARIOS)('$flaw.name', { timeout: 300_000 }, async (scenario) => {
  const t = performance.now()
  const [broken, whole] = await Promise.all([play(scenario, scenario.flaw), play(scenario, null)])
  const of = (h: typeof broken) => h.states.map((s) => `${s.place} ${JSON.stringify(s.fields)}`).sort()
  console.log(scenario.flaw.name, Math.round(performance.now() - t), 'broken', of(broken), 'whole', of(whole))
  void check
  expect(1).toBe(1)
})
