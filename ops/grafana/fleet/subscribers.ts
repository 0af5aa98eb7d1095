import { pathTo, placeholder } from '../build/dashboard.ts'
import type { Row } from '../build/layout.ts'
import { lines, timeline } from '../build/panel.ts'
import { max, quantile, series, sum } from '../build/query.ts'
import { table } from '../build/table.ts'
import {
  ANY_GROUP,
  BREAKER,
  breaker,
  bySubscriberAndClass,
  FRESHNESS,
  fresh,
  lag,
  recordsBehind,
  withOwner,
} from '../figures.ts'

const BY = ['subscriber', 'class'] as const
const members = () => max(['consumergroup'], series('kafka_consumergroup_members', ANY_GROUP))
const deadByEntity = () => max(['subscriber', 'entity'], series('tributary_dead_letters_open', 'state="dead"'))

export function subscribersRow(): Row {
  return {
    title: 'Subscribers',
    panels: [
      table({
        title: 'Subscribers',
        description:
          'A row for each subscriber and class. Late: the oldest unfinished record of some entity is older than declared. A click on a name shows more.',
        unit: 'none',
        width: 24,
        height: 9,
        keys: { subscriber: 'Subscriber', class: 'Class' },
        columns: [
          { name: 'Fresh', expr: fresh(BY), unit: 'none', states: FRESHNESS },
          { name: 'Lag', expr: max(BY, lag()), unit: 's' },
          {
            name: 'Records behind',
            expr: bySubscriberAndClass(recordsBehind(['consumergroup'], ANY_GROUP)),
            unit: 'short',
          },
          { name: 'Latency p99', expr: quantile(0.99, BY, 'tributary_sync_latency_seconds'), unit: 's' },
          { name: 'Breaker', expr: breaker(BY), unit: 'none', states: BREAKER },
          { name: 'Members', expr: bySubscriberAndClass(members()), unit: 'short' },
          {
            name: 'Dead letters',
            expr: sum(BY, withOwner(deadByEntity())),
            unit: 'short',
            thresholds: [
              [1, 'yellow'],
              [10, 'red'],
            ],
          },
        ],
        link: {
          column: 'Subscriber',
          title: 'This subscriber',
          url: pathTo('tributary-subscriber', { subscriber: placeholder('__value.raw') }),
        },
        sortBy: 'Lag',
      }),
      timeline({
        title: 'Fresh or late',
        description:
          'Whether every entity of a subscriber and class was within its declared target. A gap: the exporter did not look.',
        unit: 'none',
        width: 12,
        queries: [{ expr: fresh(BY), legend: '{{subscriber}} {{class}}' }],
        states: FRESHNESS,
      }),
      lines({
        title: 'Lag',
        description: 'Age of the oldest published record that a subscriber has not finished; 0 when all are.',
        unit: 's',
        width: 12,
        queries: [{ expr: max(BY, lag()), legend: '{{subscriber}} {{class}}' }],
      }),
    ],
  }
}
