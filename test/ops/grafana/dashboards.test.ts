import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { DASHBOARDS, dashboardFile, formatDashboard } from '../../../ops/grafana/generate.ts'
import { MODELS, PANELS, type PanelModel } from './model.ts'

const GRAFANA = new URL('../../../ops/grafana/', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, GRAFANA), 'utf8')

describe.each(DASHBOARDS.map((dashboard) => [dashboard.uid, dashboard] as const))('%s', (uid, dashboard) => {
  const model = MODELS.find((one) => one.uid === uid)!

  test('is the one that its code gives: write it anew with `npx node ops/grafana/generate.ts`', () => {
    expect(readFileSync(dashboardFile(dashboard), 'utf8')).toBe(formatDashboard(dashboard))
  })

  test('has its panels side by side: none lies over another, none leaves the grid', () => {
    const { panels } = model
    const overlaps = panels.flatMap((one, index) =>
      panels.slice(index + 1).flatMap((other) => (overlap(one, other) ? [`${one.title} and ${other.title}`] : [])),
    )
    expect(overlaps).toEqual([])
    expect(panels.filter(({ gridPos: { x, w } }) => x < 0 || x + w > 24)).toEqual([])
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
  })

  test('has no two panels of one title under one heading', () => {
    for (const { panels } of dashboard.rows) {
      const titles = panels.map(({ json }) => json.title)
      expect(titles).toEqual([...new Set(titles)])
    }
  })
})

function overlap({ gridPos: a }: PanelModel, { gridPos: b }: PanelModel): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
}

test('no file lies beside the dashboards that the code does not write', () => {
  const files = readdirSync(new URL('dashboards/', GRAFANA)).filter((name) => name.endsWith('.json'))
  expect(files.sort()).toEqual(DASHBOARDS.map(({ uid }) => `${uid}.json`).sort())
})

/** The dashboard of a path such as `/d/tributary-source?var-source=erp`, and the variables that it sets. */
function followed(path: string) {
  const [, uid, query = ''] = /^\/d\/([a-z-]+)(?:\?(.*))?$/.exec(path)!
  const variables = [...query.matchAll(/(?:^|&)var-(\w+)=/g), ...query.matchAll(/\$\{(\w+):queryparam\}/g)]
  return { model: MODELS.find((one) => one.uid === uid), variables: variables.map(([, name]) => name!) }
}

function lostLinks(paths: readonly string[]): string[] {
  return paths.filter((path) => {
    const { model, variables } = followed(path)
    const known = model?.templating.list.map(({ name }) => name) ?? []
    return model === undefined || variables.some((name) => !known.includes(name))
  })
}

describe('links', () => {
  test('each of an alert leads to a dashboard that exists, with variables that it has', () => {
    const { groups } = parse(readFileSync(new URL('../prometheus/rules.yml', GRAFANA), 'utf8')) as {
      groups: { rules: { annotations?: { dashboard: string } }[] }[]
    }
    const paths = groups.flatMap(({ rules }) => rules.flatMap(({ annotations }) => annotations?.dashboard ?? []))
    expect(paths.length).toBeGreaterThan(10)
    expect(lostLinks(paths)).toEqual([])
  })

  test('each of a panel does so, too', () => {
    const paths = PANELS.flatMap(({ panel: { fieldConfig } }) => {
      const ofCells = fieldConfig.overrides.flatMap(({ properties }) => properties.filter(({ id }) => id === 'links'))
      const links = [
        ...(fieldConfig.defaults.links ?? []),
        ...ofCells.flatMap(({ value }) => value as { url: string }[]),
      ]
      return links.map(({ url }) => url)
    })
    expect(paths.length).toBeGreaterThan(3)
    expect(lostLinks(paths)).toEqual([])
  })
})

describe('provisioning', () => {
  const dataSources = parse(read('provisioning/datasources/tributary.yml')) as {
    datasources: { uid: string; type: string }[]
  }
  const providers = parse(read('provisioning/dashboards/tributary.yml')) as {
    providers: { type: string; allowUiUpdates: boolean; options: { path: string } }[]
  }

  test('makes the data source that the dashboards choose at first', () => {
    expect(dataSources.datasources).toMatchObject([{ uid: 'tributary', type: 'prometheus' }])
    for (const { templating } of MODELS)
      expect(templating.list[0]).toMatchObject({ name: 'datasource', current: { value: 'tributary' } })
  })

  test('reads the dashboards from files, and from nowhere else', () => {
    expect(providers.providers).toMatchObject([{ type: 'file', allowUiUpdates: false }])
    expect(providers.providers[0]!.options.path).toBe('/etc/grafana/dashboards/tributary')
  })
})
