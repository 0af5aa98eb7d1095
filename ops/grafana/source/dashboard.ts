import type { Dashboard } from '../build/dashboard.ts'
import { captureRow } from './capture.ts'
import { logRow } from './log.ts'
import { nowRow } from './now.ts'
import { snapshotsRow } from './snapshots.ts'
import { THIS } from './this.ts'
import { troubleRow } from './trouble.ts'

export const source: Dashboard = {
  uid: 'tributary-source',
  title: 'tributary: a source',
  description:
    'What one source publishes and how soon, the log that it keeps for us, its snapshots, and what goes wrong.',
  choices: [
    {
      name: 'source',
      label: 'Source',
      description: 'As declared.',
      from: 'tributary_source_notices_total{job=~"$job"}',
      isMultiple: false,
    },
  ],
  alerts: [THIS],
  rows: [nowRow(), captureRow(), logRow(), snapshotsRow(), troubleRow()],
}
