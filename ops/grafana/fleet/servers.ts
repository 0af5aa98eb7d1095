import type { Row } from '../build/layout.ts'
import { figure, lines, timeline } from '../build/panel.ts'
import { max, min, series } from '../build/query.ts'
import { UP } from '../figures.ts'

export function serversRow(): Row {
  const evicted = series('tributary_ledger_evicted_keys')
  return {
    title: 'Servers and the ledger',
    panels: [
      timeline({
        title: 'Servers',
        description: 'Whether Kafka, the registry and Redis answered the exporter. Nothing is lost while one does not.',
        unit: 'none',
        width: 8,
        queries: [{ expr: min(['server'], series('tributary_server_up')), legend: '{{server}}' }],
        states: UP,
      }),
      lines({
        title: 'Memory of the ledger',
        description: 'What its Redis uses, and may use. At the limit it takes no writes, and deliveries wait.',
        unit: 'bytes',
        width: 8,
        queries: [{ expr: max([], series('tributary_ledger_used_bytes')), legend: 'used' }],
        bounds: [{ expr: max([], series('tributary_ledger_limit_bytes')), legend: 'limit' }],
      }),
      figure({
        title: 'The ledger runs for',
        description: 'Since its Redis was started. After a start each key costs one full patch.',
        unit: 's',
        width: 4,
        height: 8,
        expr: `time() - ${max([], series('tributary_ledger_start_time_seconds'))}`,
      }),
      figure({
        title: 'Entries dropped',
        description:
          'Keys that Redis dropped for want of memory in the time shown. What it drops is sent again in full.',
        unit: 'short',
        width: 4,
        height: 8,
        expr: max([], `delta(${evicted}[$__range])`),
        thresholds: [[1, 'red']],
      }),
    ],
  }
}
