import { test } from 'vitest'
import { CONTROL_MS_MAX, tryControl } from './control.ts'
import { DELIVERY_SCENARIOS } from './delivery-scenarios.ts'

test.each(DELIVERY_SCENARIOS.map((scenario) => [scenario.flaw.name, scenario] as const))(
  'the checker notices that %s, and accuses no build that is whole',
  { timeout: CONTROL_MS_MAX },
  (_, scenario) => tryControl(scenario),
)
