import type { Row } from '../build/layout.ts'
import { lines, timeline } from '../build/panel.ts'
import { max, series } from '../build/query.ts'
import { heartbeatAge, LOG_STATES, logState, newestCommitAge } from '../figures.ts'
import { THIS } from './this.ts'

export function logRow(): Row {
  return {
    title: 'Its log and heartbeats',
    panels: [
      lines({
        title: 'Log kept',
        description:
          'Log that the server keeps because of our slot, beside what it keeps at most before it gives the slot up.',
        unit: 'bytes',
        width: 12,
        queries: [{ expr: max([], series('tributary_source_retained_bytes', THIS)), legend: 'kept' }],
        bounds: [{ expr: max([], series('tributary_source_retained_limit_bytes', THIS)), legend: 'limit' }],
      }),
      timeline({
        title: 'State of the log',
        description:
          'Reserved is normal, extended is more than usual. Unreserved goes at the next checkpoint; lost is gone. A gap: there is no slot.',
        unit: 'none',
        width: 12,
        queries: [{ expr: logState(['source'], THIS), legend: '{{source}}' }],
        states: LOG_STATES,
      }),
      lines({
        title: 'Age of the heartbeat',
        description: 'Time since a heartbeat last came back through the slot.',
        unit: 's',
        width: 8,
        queries: [{ expr: heartbeatAge([], THIS), legend: 'age' }],
        thresholds: [[120, 'red']],
      }),
      lines({
        title: 'Round trip of a heartbeat',
        description:
          'From the write at the source until it came back through the slot: what any change takes to be read.',
        unit: 's',
        width: 8,
        queries: [
          {
            expr: max(['instance'], series('tributary_source_heartbeat_round_trip_seconds', THIS)),
            legend: '{{instance}}',
          },
        ],
      }),
      lines({
        title: 'Age of the newest commit',
        description:
          'Time since the newest change that is published was committed. It grows while the source is quiet, too.',
        unit: 's',
        width: 8,
        queries: [{ expr: newestCommitAge([], THIS), legend: 'age' }],
      }),
    ],
  }
}
