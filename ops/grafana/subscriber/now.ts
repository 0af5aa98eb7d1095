import { pathTo, placeholder } from '../build/dashboard.ts'
import type { Row } from '../build/layout.ts'
import { figure } from '../build/panel.ts'
import { max, quantile } from '../build/query.ts'
import { FRESHNESS, fresh, lag, openLetters, recordsBehind } from '../figures.ts'
import { errorRatio, THIS, THIS_GROUP } from './this.ts'

export function nowRow(): Row {
  return {
    title: 'Now',
    panels: [
      figure({
        title: 'Fresh',
        description: 'Whether every entity is within its declared target.',
        unit: 'none',
        width: 4,
        expr: fresh([], THIS),
        states: FRESHNESS,
      }),
      figure({
        title: 'Lag',
        description: 'Age of the oldest published record that is not finished; 0 when all are.',
        unit: 's',
        width: 4,
        expr: max([], lag(THIS)),
      }),
      figure({
        title: 'Records behind',
        description: 'Records that are not finished; at most, as compaction may have taken some.',
        unit: 'short',
        width: 4,
        expr: recordsBehind([], THIS_GROUP),
      }),
      figure({
        title: 'Latency p99',
        description:
          'From the commit at the source until the patch took effect. Nothing is shown while nothing is applied.',
        unit: 's',
        width: 4,
        expr: quantile(0.99, [], 'tributary_sync_latency_seconds', THIS),
      }),
      figure({
        title: 'Refusals and failures',
        description: 'Their share in all answers. The target is 0.1 %; at 1 % somebody is called.',
        unit: 'percentunit',
        width: 4,
        expr: errorRatio([]),
        thresholds: [
          [0.001, 'yellow'],
          [0.01, 'red'],
        ],
      }),
      figure({
        title: 'Dead letters',
        description: 'Records that wait for a person or a later change. A click shows them by entity.',
        unit: 'short',
        width: 4,
        expr: openLetters([], THIS, 'state="dead"'),
        thresholds: [
          [1, 'yellow'],
          [10, 'red'],
        ],
        link: {
          title: 'Its dead letters',
          url: pathTo('tributary-dead-letters', { subscriber: placeholder('subscriber') }),
        },
      }),
    ],
  }
}
