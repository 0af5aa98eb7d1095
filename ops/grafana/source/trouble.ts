import type { Row } from '../build/layout.ts'
import { lines } from '../build/panel.ts'
import { increase, max, rate, series, sum } from '../build/query.ts'
import { notEncoded, THIS } from './this.ts'

export function troubleRow(): Row {
  return {
    title: 'What goes wrong',
    panels: [
      lines({
        title: 'Rows not encoded',
        description: 'Rows with a value that no record can take, without a good version since.',
        unit: 'short',
        width: 8,
        form: 'stacked',
        queries: [
          { expr: notEncoded(['entity']), legend: '{{entity}}' },
          {
            expr: max([], series('tributary_capture_dead_letters_untracked', THIS)),
            legend: 'beyond what is kept in memory',
          },
        ],
      }),
      lines({
        title: 'Age of the oldest',
        description: 'For how long the oldest of them could not be encoded.',
        unit: 's',
        width: 8,
        queries: [
          {
            expr: max(['entity'], series('tributary_capture_dead_letters_oldest_seconds', THIS)),
            legend: '{{entity}}',
          },
        ],
      }),
      lines({
        title: 'Changes not encoded',
        description: 'Changes that could not be encoded, as they come; again when they are read again.',
        unit: 'cps',
        width: 8,
        form: 'stacked',
        queries: [{ expr: sum(['entity'], rate('tributary_capture_dead_letters_total', THIS)), legend: '{{entity}}' }],
      }),
      lines({
        title: 'Restarts',
        description:
          'Times capture began again after an error, by its code. The first of a code since a process began is not seen here.',
        unit: 'short',
        width: 12,
        form: 'bars',
        queries: [{ expr: sum(['code'], increase('tributary_capture_restarts_total', THIS)), legend: '{{code}}' }],
      }),
      lines({
        title: 'Notices',
        description: 'Lines of the source in the log, by code. What to do for each stands in the operating pages.',
        unit: 'short',
        width: 12,
        form: 'bars',
        queries: [{ expr: sum(['code'], increase('tributary_source_notices_total', THIS)), legend: '{{code}}' }],
      }),
    ],
  }
}
