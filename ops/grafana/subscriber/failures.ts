import type { Row } from '../build/layout.ts'
import { lines } from '../build/panel.ts'
import { increase, rate, sum } from '../build/query.ts'
import { openLetters } from '../figures.ts'
import { THIS } from './this.ts'

export function failuresRow(): Row {
  return {
    title: 'What fails',
    panels: [
      lines({
        title: 'Retries',
        description: 'Records that failed by themselves and are tried again. An outage does not count here.',
        unit: 'cps',
        width: 8,
        form: 'stacked',
        queries: [{ expr: sum(['entity'], rate('tributary_retries_total', THIS)), legend: '{{entity}}' }],
      }),
      lines({
        title: 'Records given up',
        description:
          'Records that became dead letters, by code. The first of a code since a process began is not seen here.',
        unit: 'short',
        width: 8,
        form: 'bars',
        queries: [{ expr: sum(['code'], increase('tributary_dead_letters_total', THIS)), legend: '{{code}}' }],
      }),
      lines({
        title: 'Dead letters open',
        description: 'Retrying: tried again by themselves. Dead: they wait for a person or a later change.',
        unit: 'short',
        width: 8,
        form: 'stacked',
        queries: [{ expr: openLetters(['state'], THIS), legend: '{{state}}' }],
      }),
    ],
  }
}
