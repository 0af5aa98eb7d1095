import { describe, expect, test } from 'vitest'
import { PIPELINE_METRICS } from '../../../ops/grafana/build/query.ts'
import { MODELS, PANELS, QUERIES, selectorsOf } from './model.ts'

/*
 * The rules of github.com/grafana/dashboard-linter, held here so that they hold without it:
 *
 * - template-datasource-rule, template-job-rule, template-instance-rule, template-on-time-change-reload-rule, uneditable-dashboard
 * - panel-datasource-rule, panel-title-description-rule, panel-units-rule, panel-no-targets-rule: for all kinds of panels, not only for those
 *   that the linter knows
 * - target-rate-interval-rule, target-job-rule
 * - target-counter-agg-rule, target-promql-rule and template-label-promql-rule: in queries.test.ts
 * - target-instance-rule holds for what a process tells of itself, and not for what the exporter tells of the whole pipeline: by the instance
 *   of another process nothing would be shown, as if nothing were late or dead. dashboards/.lint tells the linter.
 * - target-logql-rule, target-logql-auto-rule: there is no Loki.
 */

describe.each(MODELS.map((model) => [model.uid, model] as const))('%s', (_uid, { editable, templating: { list } }) => {
  test('has one data source, to be chosen', () => {
    expect(list.filter(({ type }) => type === 'datasource')).toMatchObject([
      { name: 'datasource', label: 'Data source', query: 'prometheus' },
    ])
  })

  test.each([
    ['job', 'Job'],
    ['instance', 'Instance'],
  ])('can be narrowed to some values of %s', (name, label) => {
    expect(list.find((one) => one.name === name)).toMatchObject({
      label,
      type: 'query',
      datasource: { uid: '$datasource' },
      multi: true,
      allValue: '.+',
    })
  })

  test('looks for the values of its variables again when the time changes', () => {
    expect(list.filter(({ type, refresh }) => type === 'query' && refresh !== 2)).toEqual([])
  })

  test('cannot be changed in Grafana', () => {
    expect(editable).toBe(false)
  })
})

describe('every panel', () => {
  const failing = (isWrong: (panel: (typeof PANELS)[number]['panel']) => boolean) =>
    PANELS.filter(({ panel }) => isWrong(panel)).map(({ name }) => name)

  test('has a title, and a description that is a sentence', () => {
    expect(failing(({ title }) => title === '')).toEqual([])
    expect(failing(({ description }) => !/^[A-Z/].{20,}\.$/.test(description ?? ''))).toEqual([])
  })

  test('has a unit that Grafana knows', () => {
    const units = ['none', 'short', 's', 'bytes', 'Bps', 'cps', 'percentunit']
    expect(failing(({ fieldConfig }) => !units.includes(fieldConfig.defaults.unit ?? ''))).toEqual([])
  })

  test('asks something, of the chosen data source', () => {
    expect(failing(({ targets = [] }) => targets.length === 0)).toEqual([])
    expect(
      failing(({ datasource, targets = [] }) =>
        [datasource, ...targets.map((target) => target.datasource)].some((one) => one?.uid !== '$datasource'),
      ),
    ).toEqual([])
  })
})

describe('every query', () => {
  const failing = (isWrong: (expr: string) => boolean) =>
    QUERIES.filter(({ expr }) => isWrong(expr)).map(({ name, expr }) => `${name}: ${expr}`)

  test('takes rates over $__rate_interval', () => {
    expect(failing((expr) => /rate\([^[]*\[(?!\$__rate_interval\])/.test(expr))).toEqual([])
  })

  test('matches the job', () => {
    expect(failing((expr) => !selectorsOf(expr).every(({ matchers }) => isMatched(matchers, 'job')))).toEqual([])
  })

  test('matches the instance where a process tells of itself, and only there', () => {
    expect(
      failing((expr) =>
        selectorsOf(expr).some(
          ({ metric, matchers }) => isMatched(matchers, 'instance') === PIPELINE_METRICS.has(metric),
        ),
      ),
    ).toEqual([])
  })
})

function isMatched(matchers: readonly { readonly matcher: string }[], name: string): boolean {
  return matchers.some(({ matcher }) => matcher === `${name}=~"$${name}"`)
}
