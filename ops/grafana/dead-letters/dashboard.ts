import type { Dashboard } from '../build/dashboard.ts'
import { nowRow } from './now.ts'
import { overTimeRow } from './over-time.ts'
import { THESE } from './these.ts'

export const deadLetters: Dashboard = {
  uid: 'tributary-dead-letters',
  title: 'tributary: dead letters',
  description: 'What subscribers have refused: how much, how old, why, and whose it is.',
  choices: [
    {
      name: 'subscriber',
      label: 'Subscriber',
      description: 'As declared; one, several or all.',
      from: 'tributary_lag_seconds{job=~"$job"}',
      isMultiple: true,
    },
  ],
  alerts: [THESE],
  rows: [nowRow(), overTimeRow()],
}
