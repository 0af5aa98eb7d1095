import type { Row } from '../build/layout.ts'
import { lines } from '../build/panel.ts'
import { quantile } from '../build/query.ts'
import { lag, recordsBehind, targetsOfLagging } from '../figures.ts'
import { THIS, THIS_GROUP } from './this.ts'

const targets = [{ expr: targetsOfLagging(THIS), legend: 'target {{entity}}' }]

function latency(q: number, description: string) {
  return lines({
    title: `Latency p${q * 100}`,
    description: `From the commit at the source until the patch took effect: ${description}`,
    unit: 's',
    width: 8,
    isLogarithmic: true,
    queries: [{ expr: quantile(q, ['entity'], 'tributary_sync_latency_seconds', THIS), legend: '{{entity}}' }],
    bounds: q === 0.99 ? targets : [],
  })
}

export function latenessRow(): Row {
  return {
    title: 'How late it is',
    panels: [
      latency(0.5, 'half of the changes were faster.'),
      latency(0.95, 'one change in 20 was slower.'),
      latency(
        0.99,
        'one change in 100 was slower. Beside it the declared target. A subscriber that is down has no latency, but lag.',
      ),
      lines({
        title: 'Lag',
        description:
          'Age of the oldest published record of an entity that is not finished, beside what is declared. Above it for two minutes is an alert.',
        unit: 's',
        width: 12,
        queries: [{ expr: lag(THIS), legend: '{{entity}}' }],
        bounds: targets,
      }),
      lines({
        title: 'Records behind',
        description: 'Records of each topic that are not finished; at most, as compaction may have taken some.',
        unit: 'short',
        width: 12,
        form: 'stacked',
        queries: [{ expr: recordsBehind(['topic'], THIS_GROUP), legend: '{{topic}}' }],
      }),
    ],
  }
}
