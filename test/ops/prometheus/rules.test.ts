import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { createMetrics } from '../../../ops/metrics/metrics.ts'
import { findOnPath } from '../../../ops/stack/programs.ts'

const ROOT = new URL('../../../', import.meta.url).pathname
const read = (path: string) => readFileSync(ROOT + path, 'utf8')

interface Rule {
  readonly record?: string
  readonly alert?: string
  readonly expr: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}
interface RuleTest {
  readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts: readonly object[] }[]
}

const rules = (parse(read('ops/prometheus/rules.yml')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
)
const alerts = rules.filter(({ alert }) => alert !== undefined)
const cases = (parse(read('ops/prometheus/rules.test.yml')) as { tests: RuleTest[] }).tests.flatMap(
  (one) => one.alert_rule_test,
)

describe.each(alerts.map((rule) => [`${rule.alert}, ${rule.labels?.severity}`, rule] as const))(
  '%s',
  (_title, rule) => {
    test('says what, with numbers, where to look and what to do', () => {
      expect(rule.labels?.severity).toMatch(/^(page|ticket)$/)
      const { summary, description, dashboard, runbook } = rule.annotations!
      expect(summary).toMatch(/^\S.{10,119}$/)
      expect(description).toMatch(/\$value|\$labels|\d/)
      expect(dashboard).toMatch(/^\/d\/tributary-[a-z-]+/)
      expect(runbook).toBe(`docs/operating/alerts.md#${rule.alert!.toLowerCase()}`)
    })

    test('has a section that says what it means, how to see it and what to do', () => {
      const section = read('docs/operating/alerts.md').split(`\n## ${rule.alert}\n`)[1]?.split('\n## ')[0]
      expect(section).toMatch(/\*\*Confirm:\*\* [\s\S]*\*\*Do:\*\*\s+\S/)
    })

    test('is seen to fire, and not to fire, by the rules’ own tests', () => {
      const ours = cases.filter(({ alertname }) => alertname === rule.alert)
      expect(ours.some(({ exp_alerts: expected }) => expected.length > 0)).toBe(true)
    })
  },
)

test('every figure that a rule asks for exists', async () => {
  const { registry } = createMetrics()
  const known = new Set((await registry.getMetricsAsJSON()).map(({ name }) => name))
  const asked = rules.flatMap(({ expr }) => expr.match(/\b(?:tributary|kafka)_[a-z_]+/g) ?? [])
  expect(asked.length).toBeGreaterThan(20)
  expect(asked.filter((name) => !known.has(name))).toEqual([])
})

const promtool = findOnPath('promtool', process.env)

test.skipIf(promtool === undefined)(
  'promtool finds the rules right, and right in their tests (needs promtool on the PATH)',
  () => {
    const run = (...args: string[]) => execFileSync(promtool!, args, { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' })
    expect(run('check', 'rules', 'ops/prometheus/rules.yml')).toContain('SUCCESS')
    expect(run('check', 'config', 'ops/prometheus/prometheus.yml')).toContain('SUCCESS')
    expect(run('test', 'rules', 'ops/prometheus/rules.test.yml')).toContain('SUCCESS')
  },
)
