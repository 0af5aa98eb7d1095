import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import { beforeAll, describe, expect, test } from 'vitest'
import { PIPELINE_METRICS } from '../../../ops/grafana/build/query.ts'
import { createClusterMetrics } from '../../../ops/metrics/cluster.ts'
import { findOnPath } from '../../../ops/stack/programs.ts'
import { type Known, knownMetrics, MODELS, QUERIES, replaceVariables, selectorsOf } from './model.ts'

let known: ReadonlyMap<string, Known>

beforeAll(async () => {
  known = await knownMetrics()
})

/** Every finding with the panel it is in; an empty list is what is expected. */
function findings(find: (expr: string, legend: string) => readonly string[]): string[] {
  return QUERIES.flatMap(({ name, expr, legend }) => find(expr, legend).map((finding) => `${name}: ${finding}`))
}

/** Labels that Prometheus adds to whatever it scrapes. */
const OF_PROMETHEUS = ['job', 'instance']

const grouped = (expr: string) =>
  [...expr.matchAll(/\b(?:by|on|group_left) \(([^)]*)\)/g)].flatMap(([, labels]) => labels!.split(', ')).filter(Boolean)
const replaced = (expr: string) =>
  [...expr.matchAll(/, "(\w+)", "\$1", "(\w+)",/g)].map(([, to, from]) => ({ to: to!, from: from! }))

describe('what a query names', () => {
  test('is a metric that exists', () => {
    expect(QUERIES.length).toBeGreaterThan(80)
    expect(findings((expr) => selectorsOf(expr).flatMap(({ metric }) => (known.has(metric) ? [] : [metric])))).toEqual(
      [],
    )
  })

  test('is never a bare metric, without the matchers of the variables', () => {
    const bare = /\b(?:tributary|kafka|process|nodejs)_\w+\b(?!\{)/g
    expect(findings((expr) => expr.replace(/"[^"]*"/g, '""').match(bare) ?? [])).toEqual([])
  })

  test('in a matcher is a label of the metric', () => {
    expect(
      findings((expr) =>
        selectorsOf(expr).flatMap(({ metric, matchers }) => {
          const labels = [...OF_PROMETHEUS, ...(known.get(metric)?.labels ?? [])]
          return matchers.filter(({ label }) => !labels.includes(label)).map(({ label }) => `${metric} has no ${label}`)
        }),
      ),
    ).toEqual([])
  })

  test('in a grouping is a label of a metric in the query', () => {
    expect(
      findings((expr) => {
        const own = selectorsOf(expr).flatMap(({ metric }) => known.get(metric)?.labels ?? [])
        const made = replaced(expr)
        const labels = [...OF_PROMETHEUS, ...own, ...made.map(({ to }) => to)]
        return [...grouped(expr), ...made.map(({ from }) => from)].filter((label) => !labels.includes(label))
      }),
    ).toEqual([])
  })

  test('in a legend is a label that the query keeps', () => {
    expect(
      findings((expr, legend) => {
        const kept = grouped(expr)
        return [...legend.matchAll(/\{\{(\w+)\}\}/g)]
          .map(([, label]) => label!)
          .filter((label) => !kept.includes(label))
      }),
    ).toEqual([])
  })
})

describe('how a query asks', () => {
  const ofKind = (expr: string, ...kinds: readonly string[]) =>
    selectorsOf(expr).filter(({ metric }) => kinds.includes(known.get(metric)?.kind ?? ''))

  test('a counter for its rate or its increase, never for its value', () => {
    const isRated = /(?:rate|increase)\($/
    expect(
      findings((expr) =>
        ofKind(expr, 'counter')
          .filter(({ before, after }) => !isRated.test(before) || !/^\[\$__(?:rate_interval|range)\]\)/.test(after))
          .map(({ metric }) => metric),
      ),
    ).toEqual([])
  })

  test('a gauge never for its rate', () => {
    expect(
      findings((expr) =>
        ofKind(expr, 'gauge')
          .filter(({ before }) => /(?:rate|increase)\($/.test(before))
          .map(({ metric }) => metric),
      ),
    ).toEqual([])
  })

  test('a histogram for a quantile of its rates by bucket', () => {
    const buckets = QUERIES.flatMap(({ expr }) => ofKind(expr, 'bucket'))
    expect(buckets.length).toBeGreaterThan(10)
    const isQuantile = /histogram_quantile\(0\.\d+, sum by \(le(?:, \w+)*\) \(rate\($/
    expect(buckets.filter(({ before }) => !isQuantile.test(before)).map(({ metric }) => metric)).toEqual([])
  })
})

test('every metric of ours is on some dashboard', () => {
  const asked = new Set(QUERIES.flatMap(({ expr }) => selectorsOf(expr).map(({ metric }) => metric)))
  expect([...known.keys()].filter((name) => name.startsWith('tributary_') && !asked.has(name))).toEqual([])
})

test('what the exporter tells is what is not narrowed to an instance', async () => {
  const registry = new Registry()
  createClusterMetrics([registry], [])
  const told = (await registry.getMetricsAsJSON()).map(({ name }) => name)
  expect([...PIPELINE_METRICS].sort()).toEqual(told.sort())
})

const promtool = findOnPath('promtool', process.env)

test.skipIf(promtool === undefined)(
  'promtool can read every query, and those of the variables (needs promtool on the PATH)',
  () => {
    const values = { __rate_interval: '1m', __range: '1h', job: '.+', instance: '.+', subscriber: 'crm', source: 'erp' }
    const ofVariables = MODELS.flatMap(({ templating }) =>
      templating.list.flatMap(({ query }) => /^label_values\((.+), \w+\)$/.exec(query)?.[1] ?? []),
    )
    const rules = [...QUERIES.map(({ expr }) => expr), ...ofVariables].map((expr, index) => ({
      record: `dashboard:query:${index}`,
      expr: replaceVariables(expr, values),
    }))
    const folder = mkdtempSync(join(tmpdir(), 'tributary-queries-'))
    try {
      const file = join(folder, 'rules.yml')
      writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboards', rules }] }))
      const report = execFileSync(promtool!, ['check', 'rules', file], { encoding: 'utf8', stdio: 'pipe' })
      expect(report).toContain(`SUCCESS: ${rules.length} rules found`)
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
)
