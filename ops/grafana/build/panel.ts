import type { Query } from './query.ts'

/** As Grafana calls them. `cps` is a count per second. */
export type Unit = 'none' | 'short' | 's' | 'bytes' | 'Bps' | 'cps' | 'percentunit'

export type Json = Readonly<Record<string, unknown>>

/** A panel of a dashboard, without its place. */
export interface Panel {
  /** Of the 24 columns of the grid. */
  readonly width: number
  readonly height: number
  readonly json: Json
}

/** What each panel has to say for itself. */
export interface Caption {
  readonly title: string
  readonly description: string
  readonly unit: Unit
  readonly width: number
  readonly height?: number
}

/** From this value on, in this colour; below the first it is green. In rising order. */
export type Thresholds = readonly (readonly [from: number, color: 'yellow' | 'orange' | 'red'])[]

/** What a value stands for, and its colour. */
export type States = Readonly<Record<number, readonly [text: string, color: string]>>

export const DATA_SOURCE = { type: 'prometheus', uid: '$datasource' } as const

const HEIGHT = 8
const NUMBER_HEIGHT = 4
/** Lines that others are to be seen beside go by these names. */
const BOUND = '/^(target|limit)/'

export function caption({ title, description }: Caption, type: string): Json {
  return { type, title, description, datasource: DATA_SOURCE }
}

export function thresholds(steps: Thresholds): Json {
  const from = steps.map(([value, color]) => ({ color, value }))
  return { mode: 'absolute', steps: [{ color: 'green', value: null }, ...from] }
}

export function mappings(states: States): readonly Json[] {
  const options = Object.entries(states).map(([value, [text, color]], index) => [value, { color, index, text }])
  return [{ type: 'value', options: Object.fromEntries(options) }]
}

/** A, B, C… */
export function refId(index: number): string {
  return String.fromCharCode(65 + index)
}

function targets(queries: readonly Query[]): readonly Json[] {
  return queries.map(({ expr, legend }, index) => ({
    datasource: DATA_SOURCE,
    editorMode: 'code',
    expr,
    legendFormat: legend,
    range: true,
    refId: refId(index),
  }))
}

export interface Lines extends Caption {
  readonly queries: readonly Query[]
  /** Dashed, and never stacked; each is called `target …` or `limit …`. */
  readonly bounds?: readonly Query[]
  readonly form?: 'lines' | 'stacked' | 'bars'
  /** For what reaches from milliseconds to hours. */
  readonly isLogarithmic?: boolean
  /** Lines across the panel, as the alerts have them. */
  readonly thresholds?: Thresholds
}

/** Figures over time. */
export function lines(panel: Lines): Panel {
  const { queries, bounds = [], form = 'lines', isLogarithmic = false, thresholds: steps = [] } = panel
  const custom = {
    drawStyle: form === 'bars' ? 'bars' : 'line',
    fillOpacity: { lines: 0, stacked: 30, bars: 60 }[form],
    lineWidth: 1,
    scaleDistribution: isLogarithmic ? { type: 'log', log: 10 } : { type: 'linear' },
    showPoints: 'auto',
    spanNulls: false,
    stacking: { group: 'A', mode: form === 'lines' ? 'none' : 'normal' },
    thresholdsStyle: { mode: steps.length > 0 ? 'dashed' : 'off' },
  }
  const boundProperties = [
    { id: 'custom.lineStyle', value: { dash: [10, 10], fill: 'dash' } },
    { id: 'custom.fillOpacity', value: 0 },
    { id: 'custom.stacking', value: { group: 'A', mode: 'none' } },
  ]
  return {
    width: panel.width,
    height: panel.height ?? HEIGHT,
    json: {
      ...caption(panel, 'timeseries'),
      fieldConfig: {
        defaults: {
          color: { mode: 'palette-classic' },
          custom,
          ...(!isLogarithmic && { min: 0 }),
          thresholds: thresholds(steps),
          unit: panel.unit,
        },
        overrides:
          bounds.length === 0 ? [] : [{ matcher: { id: 'byRegexp', options: BOUND }, properties: boundProperties }],
      },
      options: {
        legend: { calcs: ['lastNotNull', 'max'], displayMode: 'table', placement: 'bottom', showLegend: true },
        tooltip: { mode: 'multi', sort: 'desc' },
      },
      targets: targets([...queries, ...bounds]),
    },
  }
}

export interface Timeline extends Caption {
  readonly queries: readonly Query[]
  readonly states: States
}

/** A bar each over time, coloured by the state it was in. */
export function timeline(panel: Timeline): Panel {
  return {
    width: panel.width,
    height: panel.height ?? HEIGHT,
    json: {
      ...caption(panel, 'state-timeline'),
      fieldConfig: {
        defaults: {
          color: { mode: 'thresholds' },
          custom: { fillOpacity: 70, lineWidth: 0 },
          mappings: mappings(panel.states),
          thresholds: thresholds([]),
          unit: panel.unit,
        },
        overrides: [],
      },
      options: {
        alignValue: 'left',
        legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
        mergeValues: true,
        rowHeight: 0.9,
        showValue: 'auto',
        tooltip: { mode: 'single', sort: 'none' },
      },
      targets: targets(panel.queries),
    },
  }
}

export interface Figure extends Caption {
  readonly expr: string
  readonly thresholds?: Thresholds
  readonly states?: States
  /** Where a click leads. */
  readonly link?: { readonly title: string; readonly url: string }
}

/** One figure, as it is now. */
export function figure(panel: Figure): Panel {
  const { expr, thresholds: steps = [], states, link } = panel
  return {
    width: panel.width,
    height: panel.height ?? NUMBER_HEIGHT,
    json: {
      ...caption(panel, 'stat'),
      fieldConfig: {
        defaults: {
          color: { mode: 'thresholds' },
          ...(link !== undefined && { links: [link] }),
          ...(states !== undefined && { mappings: mappings(states) }),
          thresholds: thresholds(steps),
          unit: panel.unit,
        },
        overrides: [],
      },
      options: {
        colorMode: steps.length > 0 || states !== undefined ? 'background' : 'none',
        graphMode: 'none',
        justifyMode: 'auto',
        orientation: 'auto',
        reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
        textMode: 'value',
      },
      targets: [
        { datasource: DATA_SOURCE, editorMode: 'code', expr, instant: true, legendFormat: panel.title, refId: 'A' },
      ],
    },
  }
}
