import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Dashboard, toGrafana } from './build/dashboard.ts'
import { deadLetters } from './dead-letters/dashboard.ts'
import { fleet } from './fleet/dashboard.ts'
import { source } from './source/dashboard.ts'
import { subscriber } from './subscriber/dashboard.ts'

/*
 * The dashboards as Grafana reads them, committed beside this file. Write them anew: `npx node ops/grafana/generate.ts`.
 */

const FOLDER = new URL('dashboards/', import.meta.url)

export const DASHBOARDS: readonly Dashboard[] = [fleet, subscriber, source, deadLetters]

export function dashboardFile({ uid }: Dashboard): URL {
  return new URL(`${uid}.json`, FOLDER)
}

/** The text of the committed file. */
export function formatDashboard(dashboard: Dashboard): string {
  return `${JSON.stringify(toGrafana(dashboard), null, 2)}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const dashboard of DASHBOARDS) writeFileSync(dashboardFile(dashboard), formatDashboard(dashboard))
