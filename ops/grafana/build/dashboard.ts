import { placePanels, type Row } from './layout.ts'
import { DATA_SOURCE, type Json } from './panel.ts'
import { type Choice, choiceVariable, dataSourceVariable, INSTANCE, JOB } from './variable.ts'

const TAG = 'tributary'
/** The data source, the job and the time go along from one dashboard to the next. */
const KEPT = ['datasource:queryparam', 'job:queryparam', '__url_time_range'].map(placeholder)

export interface Dashboard {
  /** Alerts refer to it: `/d/<uid>`. Also the name of its file. */
  readonly uid: string
  readonly title: string
  readonly description: string
  /** Beside the data source, the job and the instance. */
  readonly choices: readonly Choice[]
  /** Which alerts are marked in its panels, as matchers. */
  readonly alerts: readonly string[]
  readonly rows: readonly Row[]
}

/** What Grafana puts a value in place of, where its name alone would not do. */
export function placeholder(name: string): string {
  return `\${${name}}`
}

/** The path of a dashboard below Grafana's root. */
export function pathTo(uid: string, choices: Readonly<Record<string, string>> = {}): string {
  const chosen = Object.entries(choices).map(([name, value]) => `var-${name}=${value}`)
  return `/d/${uid}?${[...chosen, ...KEPT].join('&')}`
}

/** Grafana's model of a dashboard. */
export function toGrafana({ uid, title, description, choices, alerts, rows }: Dashboard): Json {
  return {
    id: null,
    uid,
    title,
    description,
    tags: [TAG],
    // What is changed in Grafana would be lost with the next version of the file.
    editable: false,
    graphTooltip: 1,
    refresh: '30s',
    schemaVersion: 39,
    time: { from: 'now-1h', to: 'now' },
    timepicker: {},
    timezone: 'browser',
    annotations: { list: [firingAlerts(alerts)] },
    links: [otherDashboards()],
    templating: { list: [dataSourceVariable(), ...[JOB, INSTANCE, ...choices].map(choiceVariable)] },
    panels: placePanels(rows),
  }
}

function firingAlerts(matchers: readonly string[]): Json {
  const all = ['alertname=~"Tributary.+"', 'alertstate="firing"', ...matchers]
  return {
    datasource: DATA_SOURCE,
    enable: true,
    hide: false,
    iconColor: 'red',
    name: 'Alerts',
    tagKeys: 'severity',
    target: { expr: `ALERTS{${all.join(', ')}}`, refId: 'Anno' },
    textFormat: '{{subscriber}}{{source}} {{entity}}',
    titleFormat: '{{alertname}}',
  }
}

function otherDashboards(): Json {
  return {
    asDropdown: true,
    icon: 'external link',
    includeVars: true,
    keepTime: true,
    tags: [TAG],
    targetBlank: false,
    title: 'Other dashboards',
    tooltip: '',
    type: 'dashboards',
    url: '',
  }
}
