import type { Row } from '../build/layout.ts'
import { lines } from '../build/panel.ts'
import { increase, rate, sum } from '../build/query.ts'
import { openLetters, withOwner } from '../figures.ts'
import { DEAD, oldest, THESE } from './these.ts'

export function overTimeRow(): Row {
  const BY = ['subscriber', 'entity', 'state'] as const
  const legend = '{{subscriber}} {{entity}}, {{state}}'
  return {
    title: 'Over time',
    panels: [
      lines({
        title: 'Open',
        description: 'Dead letters that are open, by subscriber, entity and state.',
        unit: 'short',
        width: 12,
        form: 'stacked',
        queries: [{ expr: openLetters(BY, THESE), legend }],
      }),
      lines({
        title: 'Age of the oldest',
        description: 'Time since the oldest of them failed first. A dead one of more than a day is an alert.',
        unit: 's',
        width: 12,
        queries: [{ expr: oldest(BY), legend }],
      }),
      lines({
        title: 'Dead, by owner',
        description: 'Dead letters by the owner of their entity, as declared.',
        unit: 'short',
        width: 8,
        form: 'stacked',
        queries: [
          { expr: sum(['owner'], withOwner(openLetters(['subscriber', 'entity'], THESE, DEAD))), legend: '{{owner}}' },
        ],
      }),
      lines({
        title: 'Given up, by code',
        description:
          'Records that became dead letters, by why. The first of a code since a process began is not seen here.',
        unit: 'short',
        width: 8,
        form: 'bars',
        queries: [{ expr: sum(['code'], increase('tributary_dead_letters_total', THESE)), legend: '{{code}}' }],
      }),
      lines({
        title: 'Retries',
        description: 'Records that failed by themselves and are tried again: what may become dead letters.',
        unit: 'cps',
        width: 8,
        queries: [
          {
            expr: sum(['subscriber', 'entity'], rate('tributary_retries_total', THESE)),
            legend: '{{subscriber}} {{entity}}',
          },
        ],
      }),
    ],
  }
}
