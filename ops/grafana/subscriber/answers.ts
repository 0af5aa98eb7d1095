import type { Row } from '../build/layout.ts'
import { lines, timeline } from '../build/panel.ts'
import { rate, series, sum } from '../build/query.ts'
import { BREAKER, breaker } from '../figures.ts'
import { errorRatio, THIS } from './this.ts'

export function answersRow(): Row {
  return {
    title: 'What it answers',
    panels: [
      lines({
        title: 'Answers',
        description:
          'Answers for one record each. Throttled, blocked and newer are the normal course; rejected, unavailable, unknown and conflict are not.',
        unit: 'cps',
        width: 12,
        form: 'stacked',
        queries: [
          { expr: sum([], rate('tributary_patches_total', THIS)), legend: 'applied' },
          { expr: sum(['outcome'], rate('tributary_answers_total', THIS)), legend: '{{outcome}}' },
        ],
      }),
      lines({
        title: 'Refusals and failures',
        description:
          'Share of rejected, unavailable, unknown and conflict in all answers. The target is 0.1 %; at 1 % somebody is called.',
        unit: 'percentunit',
        width: 12,
        queries: [
          { expr: errorRatio([]), legend: 'all' },
          { expr: errorRatio(['entity']), legend: '{{entity}}' },
        ],
        thresholds: [
          [0.001, 'yellow'],
          [0.01, 'red'],
        ],
      }),
      timeline({
        title: 'Breaker',
        description:
          'Open: requests fail one after the other, so that only a probe is sent now and then. Changes wait, in order.',
        unit: 'none',
        width: 8,
        queries: [{ expr: breaker(['class'], THIS), legend: '{{class}}' }],
        states: BREAKER,
      }),
      lines({
        title: 'Requests in flight',
        description:
          'Requests under way, beside how many there may be now: the limit falls while the subscriber throttles.',
        unit: 'short',
        width: 8,
        queries: [{ expr: sum(['class'], series('tributary_requests_in_flight', THIS)), legend: '{{class}}' }],
        bounds: [
          { expr: sum(['class'], series('tributary_requests_in_flight_limit', THIS)), legend: 'limit {{class}}' },
        ],
      }),
      lines({
        title: 'Keys parked',
        description: 'Keys that wait alone, as they failed or are held. Others go on.',
        unit: 'short',
        width: 8,
        form: 'stacked',
        queries: [{ expr: sum(['entity'], series('tributary_keys_parked', THIS)), legend: '{{entity}}' }],
      }),
    ],
  }
}
