import { test } from 'vitest'
import { CAPTURE_SCENARIOS } from './capture-scenarios.ts'
import { CONTROL_MS_MAX, tryControl } from './control.ts'

test.each(CAPTURE_SCENARIOS.map((scenario) => [scenario.flaw.name, scenario] as const))(
  'the checker notices that %s, and accuses no build that is whole',
  { timeout: CONTROL_MS_MAX },
  (_, scenario) => tryControl(scenario),
)
