import type { Dashboard } from '../build/dashboard.ts'
import { groupsRow } from './groups.ts'
import { processesRow } from './processes.ts'
import { serversRow } from './servers.ts'
import { sourcesRow } from './sources.ts'
import { subscribersRow } from './subscribers.ts'

export const fleet: Dashboard = {
  uid: 'tributary-fleet',
  title: 'tributary: the fleet',
  description: 'Is every subscriber fresh, does every source deliver, and do the servers and processes work?',
  choices: [],
  alerts: [],
  rows: [subscribersRow(), groupsRow(), sourcesRow(), serversRow(), processesRow()],
}
