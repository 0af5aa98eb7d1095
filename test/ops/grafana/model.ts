import { readFileSync } from 'node:fs'
import type { Registry } from 'prom-client'
import { DASHBOARDS, dashboardFile } from '../../../ops/grafana/generate.ts'
import { createMetrics } from '../../../ops/metrics/metrics.ts'

/** What the tests look at in Grafana's model. */
export interface Model {
  readonly uid: string
  readonly title: string
  readonly editable: boolean
  readonly templating: { readonly list: readonly Variable[] }
  readonly panels: readonly PanelModel[]
}

export interface Variable {
  readonly name: string
  readonly label: string
  readonly type: string
  readonly query: string
  readonly datasource?: DataSource
  readonly multi: boolean
  readonly allValue?: string
  readonly refresh: number
}

interface DataSource {
  readonly type: string
  readonly uid: string
}

export interface PanelModel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly datasource?: DataSource
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number }
  readonly fieldConfig: {
    readonly defaults: { readonly unit?: string; readonly links?: readonly { url: string }[] }
    readonly overrides: readonly { readonly properties: readonly { id: string; value: unknown }[] }[]
  }
  readonly targets?: readonly {
    readonly expr: string
    readonly legendFormat: string
    readonly datasource: DataSource
  }[]
}

/** The committed dashboards. */
export const MODELS: readonly Model[] = DASHBOARDS.map((one) => JSON.parse(readFileSync(dashboardFile(one), 'utf8')))

interface NamedPanel {
  readonly name: string
  readonly model: Model
  readonly panel: PanelModel
}

/** Without the headings between them. */
export const PANELS: readonly NamedPanel[] = MODELS.flatMap((model) =>
  model.panels
    .filter(({ type }) => type !== 'row')
    .map((panel) => ({ name: `${model.uid}: ${panel.title}`, model, panel })),
)

interface NamedQuery extends NamedPanel {
  readonly expr: string
  readonly legend: string
}

export const QUERIES: readonly NamedQuery[] = PANELS.flatMap((one) =>
  (one.panel.targets ?? []).map(({ expr, legendFormat }) => ({ ...one, expr, legend: legendFormat })),
)

interface Selector {
  readonly metric: string
  readonly matchers: readonly { readonly label: string; readonly matcher: string }[]
  /** What the query has before and after it. */
  readonly before: string
  readonly after: string
}

export function selectorsOf(expr: string): Selector[] {
  return [...expr.matchAll(/([a-zA-Z_:][\w:]*)\{([^}]*)\}/g)].map((match) => ({
    metric: match[1]!,
    matchers: [...match[2]!.matchAll(/(\w+)(=~|!=|!~|=)"[^"]*"/g)].map(([matcher, label]) => ({
      label: label!,
      matcher,
    })),
    before: expr.slice(0, match.index),
    after: expr.slice(match.index + match[0].length),
  }))
}

/** With what Grafana puts in place of the variables. */
export function replaceVariables(expr: string, values: Readonly<Record<string, string>>): string {
  return expr.replace(/\$(\w+)/g, (whole, name: string) => values[name] ?? whole)
}

/** A metric with its kind and labels; `up` is Prometheus' own. */
export interface Known {
  readonly kind: string
  readonly labels: readonly string[]
}

export async function knownMetrics(registry: Registry = createMetrics().registry): Promise<ReadonlyMap<string, Known>> {
  const all = registry.getMetricsAsArray() as unknown as readonly { name: string; labelNames: readonly string[] }[]
  const kinds = new Map((await registry.getMetricsAsJSON()).map(({ name, type }) => [name, String(type)]))
  const known = new Map<string, Known>([['up', { kind: 'gauge', labels: [] }]])
  for (const { name, labelNames } of all) {
    const kind = kinds.get(name)!
    if (kind === 'histogram') known.set(`${name}_bucket`, { kind: 'bucket', labels: [...labelNames, 'le'] })
    else known.set(name, { kind, labels: labelNames })
  }
  return known
}
