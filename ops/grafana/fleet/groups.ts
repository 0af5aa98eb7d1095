import type { Row } from '../build/layout.ts'
import { lines } from '../build/panel.ts'
import { max, series, sum } from '../build/query.ts'
import { ANY_GROUP, recordsBehind } from '../figures.ts'

const legend = '{{consumergroup}}'

export function groupsRow(): Row {
  const offsets = series('kafka_consumergroup_current_offset', ANY_GROUP)
  return {
    title: 'Consumer groups',
    panels: [
      lines({
        title: 'Records behind',
        description: 'Records that a group has not finished; at most, as compaction may have taken some.',
        unit: 'short',
        width: 8,
        queries: [{ expr: recordsBehind(['consumergroup'], ANY_GROUP), legend }],
      }),
      lines({
        title: 'Offsets finished',
        description: 'How fast the committed offsets of a group go on. Records behind and nothing finished: it stalls.',
        unit: 'cps',
        width: 8,
        queries: [
          {
            expr: sum(
              ['consumergroup'],
              max(['consumergroup', 'topic', 'partition'], `deriv(${offsets}[$__rate_interval])`),
            ),
            legend,
          },
        ],
      }),
      lines({
        title: 'Members',
        description: 'Processes that read for a group. 0 while records wait: nobody reads.',
        unit: 'short',
        width: 8,
        queries: [{ expr: max(['consumergroup'], series('kafka_consumergroup_members', ANY_GROUP)), legend }],
      }),
    ],
  }
}
