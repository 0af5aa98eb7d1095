import type { Row } from '../build/layout.ts'
import { lines } from '../build/panel.ts'
import { max, percentiles, series } from '../build/query.ts'
import { THIS, THIS_GROUP } from './this.ts'

export function timeRow(): Row {
  return {
    title: 'Where the time goes',
    panels: [
      lines({
        title: 'Time at the subscriber',
        description: 'What one batch takes at the subscriber.',
        unit: 's',
        width: 8,
        isLogarithmic: true,
        queries: percentiles('tributary_apply_seconds', THIS),
      }),
      lines({
        title: 'Time in the ledger',
        description: 'What one batch takes in the ledger, for gate and settle.',
        unit: 's',
        width: 8,
        isLogarithmic: true,
        queries: percentiles('tributary_ledger_seconds', THIS),
      }),
      lines({
        title: 'Members',
        description: 'Processes that deliver, by group. More than its entities have partitions do nothing.',
        unit: 'short',
        width: 8,
        queries: [
          {
            expr: max(['consumergroup'], series('kafka_consumergroup_members', THIS_GROUP)),
            legend: '{{consumergroup}}',
          },
        ],
      }),
    ],
  }
}
