import {
  type Caption,
  caption,
  DATA_SOURCE,
  type Json,
  mappings,
  type Panel,
  refId,
  type States,
  type Thresholds,
  thresholds,
  type Unit,
} from './panel.ts'

export interface Column {
  readonly name: string
  /** Has exactly the table's keys as its labels. */
  readonly expr: string
  readonly unit: Unit
  readonly thresholds?: Thresholds
  readonly states?: States
}

export interface Table extends Caption {
  readonly height: number
  /** The labels that make a row, and what their columns are called. */
  readonly keys: Readonly<Record<string, string>>
  /** At least two: Grafana names the value of a single one otherwise. */
  readonly columns: readonly [Column, Column, ...Column[]]
  /** From the cells of one of the key columns; `${__value.raw}` is what the cell holds. */
  readonly link?: { readonly column: string; readonly title: string; readonly url: string }
  /** The column that the rows are sorted by, the highest first. */
  readonly sortBy?: string
}

/** A row for each combination of the keys, as it is now. */
export function table(panel: Table): Panel {
  const { keys, columns, link, sortBy } = panel
  const names = [
    ...Object.entries(keys),
    ...columns.map(({ name }, index) => [`Value #${refId(index)}`, name] as const),
  ]
  const linked = link && {
    matcher: { id: 'byName', options: link.column },
    properties: [{ id: 'links', value: [{ title: link.title, url: link.url }] }],
  }
  return {
    width: panel.width,
    height: panel.height,
    json: {
      ...caption(panel, 'table'),
      fieldConfig: {
        defaults: { custom: { align: 'auto', filterable: true }, unit: panel.unit },
        overrides: [...(linked ? [linked] : []), ...columns.map(columnOverride)],
      },
      options: {
        cellHeight: 'sm',
        showHeader: true,
        sortBy: sortBy === undefined ? [] : [{ desc: true, displayName: sortBy }],
      },
      targets: columns.map(({ expr }, index) => ({
        datasource: DATA_SOURCE,
        editorMode: 'code',
        expr,
        format: 'table',
        instant: true,
        legendFormat: '',
        refId: refId(index),
      })),
      transformations: [
        { id: 'merge', options: {} },
        {
          id: 'organize',
          options: {
            excludeByName: { Time: true },
            indexByName: Object.fromEntries(names.map(([field], index) => [field, index])),
            renameByName: Object.fromEntries(names),
          },
        },
      ],
    },
  }
}

function columnOverride({ name, unit, thresholds: steps, states }: Column): Json {
  const isColored = steps !== undefined || states !== undefined
  return {
    matcher: { id: 'byName', options: name },
    properties: [
      { id: 'unit', value: unit },
      ...(states === undefined ? [] : [{ id: 'mappings', value: mappings(states) }]),
      ...(isColored
        ? [
            { id: 'thresholds', value: thresholds(steps ?? []) },
            { id: 'custom.cellOptions', value: { type: 'color-text' } },
          ]
        : []),
    ],
  }
}
