import { pathTo, placeholder } from '../build/dashboard.ts'
import type { Row } from '../build/layout.ts'
import { increaseInRange, max, rate, series, sum } from '../build/query.ts'
import { table } from '../build/table.ts'
import { heartbeatAge, keptShare, LOG_STATES, logState, newestCommitAge } from '../figures.ts'

const BY = ['source'] as const

export function sourcesRow(): Row {
  const notEncoded = max(['source', 'entity'], series('tributary_capture_dead_letters_open'))
  return {
    title: 'Sources',
    panels: [
      table({
        title: 'Sources',
        description:
          'A row for each source that is captured. A quiet source has an old newest commit, but never an old heartbeat. A click on a name shows more.',
        unit: 'none',
        width: 24,
        height: 6,
        keys: { source: 'Source' },
        columns: [
          { name: 'Records', expr: sum(BY, rate('tributary_capture_records_total')), unit: 'cps' },
          { name: 'Newest commit', expr: newestCommitAge(BY), unit: 's' },
          { name: 'Heartbeat', expr: heartbeatAge(BY), unit: 's', thresholds: [[120, 'red']] },
          { name: 'Log', expr: logState(BY), unit: 'none', states: LOG_STATES },
          {
            name: 'Log kept, of its limit',
            expr: keptShare(BY),
            unit: 'percentunit',
            thresholds: [
              [0.25, 'yellow'],
              [0.5, 'red'],
            ],
          },
          { name: 'Rows not encoded', expr: sum(BY, notEncoded), unit: 'short', thresholds: [[1, 'yellow']] },
          { name: 'Restarts', expr: sum(BY, increaseInRange('tributary_capture_restarts_total')), unit: 'short' },
        ],
        link: {
          column: 'Source',
          title: 'This source',
          url: pathTo('tributary-source', { source: placeholder('__value.raw') }),
        },
      }),
    ],
  }
}
