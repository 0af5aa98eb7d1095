import { pathTo, placeholder } from '../build/dashboard.ts'
import type { Row } from '../build/layout.ts'
import { figure } from '../build/panel.ts'
import { max, series, sum } from '../build/query.ts'
import { table } from '../build/table.ts'
import { openLetters, withOwner } from '../figures.ts'
import { DEAD, oldest, RETRYING, THESE } from './these.ts'

const BY = ['subscriber', 'entity'] as const
const DAY_SECONDS = 86_400

export function nowRow(): Row {
  const untracked = max(['subscriber'], series('tributary_dead_letters_untracked', THESE))
  return {
    title: 'Now',
    panels: [
      figure({
        title: 'Dead',
        description: 'Records that wait for a person or a later change of their object.',
        unit: 'short',
        width: 6,
        expr: openLetters([], THESE, DEAD),
        thresholds: [
          [1, 'yellow'],
          [10, 'red'],
        ],
      }),
      figure({
        title: 'Retrying',
        description: 'Records that are still tried again by themselves, ever more rarely.',
        unit: 'short',
        width: 6,
        expr: openLetters([], THESE, RETRYING),
      }),
      figure({
        title: 'Oldest dead one',
        description: 'Time since it failed first. Nothing is shown where there is none.',
        unit: 's',
        width: 6,
        expr: oldest([], DEAD),
        thresholds: [[DAY_SECONDS, 'red']],
      }),
      figure({
        title: 'Not counted one by one',
        description: 'Those that came when 200,000 were open. They may have ended since.',
        unit: 'short',
        width: 6,
        expr: sum([], untracked),
        thresholds: [[1, 'yellow']],
      }),
      table({
        title: 'By entity',
        description:
          'What each subscriber has refused of each entity, with the owner of the entity: who can mend the data.',
        unit: 'none',
        width: 24,
        height: 10,
        keys: { subscriber: 'Subscriber', entity: 'Entity', owner: 'Owner', class: 'Class' },
        columns: [
          {
            name: 'Dead',
            expr: withOwner(openLetters(BY, THESE, DEAD)),
            unit: 'short',
            thresholds: [
              [1, 'yellow'],
              [10, 'red'],
            ],
          },
          { name: 'Retrying', expr: withOwner(openLetters(BY, THESE, RETRYING)), unit: 'short' },
          {
            name: 'Oldest dead one',
            expr: withOwner(oldest(BY, DEAD)),
            unit: 's',
            thresholds: [[DAY_SECONDS, 'red']],
          },
        ],
        link: {
          column: 'Subscriber',
          title: 'This subscriber',
          url: pathTo('tributary-subscriber', { subscriber: placeholder('__value.raw') }),
        },
        sortBy: 'Dead',
      }),
    ],
  }
}
