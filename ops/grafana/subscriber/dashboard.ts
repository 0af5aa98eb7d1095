import type { Dashboard } from '../build/dashboard.ts'
import { answersRow } from './answers.ts'
import { failuresRow } from './failures.ts'
import { latenessRow } from './lateness.ts'
import { nowRow } from './now.ts'
import { recordsRow } from './records.ts'
import { THIS } from './this.ts'
import { timeRow } from './time.ts'

export const subscriber: Dashboard = {
  uid: 'tributary-subscriber',
  title: 'tributary: a subscriber',
  description: 'How late one subscriber is, what became of its records, what it answers, and where the time goes.',
  choices: [
    {
      name: 'subscriber',
      label: 'Subscriber',
      description: 'As declared.',
      from: 'tributary_lag_seconds{job=~"$job"}',
      isMultiple: false,
    },
  ],
  alerts: [THIS],
  rows: [nowRow(), latenessRow(), recordsRow(), answersRow(), failuresRow(), timeRow()],
}
