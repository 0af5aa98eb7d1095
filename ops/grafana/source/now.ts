import type { Row } from '../build/layout.ts'
import { figure } from '../build/panel.ts'
import { increaseInRange, sum } from '../build/query.ts'
import { heartbeatAge, keptShare, LOG_STATES, logState, newestCommitAge } from '../figures.ts'
import { notEncoded, THIS } from './this.ts'

export function nowRow(): Row {
  return {
    title: 'Now',
    panels: [
      figure({
        title: 'Newest commit',
        description: 'Time since the newest change that is published was committed. Old where the source is quiet.',
        unit: 's',
        width: 4,
        expr: newestCommitAge([], THIS),
      }),
      figure({
        title: 'Heartbeat',
        description: 'Time since a heartbeat last came back through the slot. Above two minutes nothing is read.',
        unit: 's',
        width: 4,
        expr: heartbeatAge([], THIS),
        thresholds: [
          [60, 'yellow'],
          [120, 'red'],
        ],
      }),
      figure({
        title: 'State of the log',
        description:
          'As the server calls it. Unreserved: it will be removed at the next checkpoint. Lost: every table is read again.',
        unit: 'none',
        width: 4,
        expr: logState([], THIS),
        states: LOG_STATES,
      }),
      figure({
        title: 'Log kept, of its limit',
        description: 'At 100 % the server gives the slot up. Nothing is shown of a server without a limit.',
        unit: 'percentunit',
        width: 4,
        expr: keptShare([], THIS),
        thresholds: [
          [0.25, 'yellow'],
          [0.5, 'red'],
        ],
      }),
      figure({
        title: 'Rows not encoded',
        description:
          'Rows with a value that no record can take. Subscribers keep what they had. Nothing is shown where there are none.',
        unit: 'short',
        width: 4,
        expr: notEncoded([]),
        thresholds: [[1, 'yellow']],
      }),
      figure({
        title: 'Restarts',
        description: 'Times capture began again after an error, in the time shown.',
        unit: 'short',
        width: 4,
        expr: sum([], increaseInRange('tributary_capture_restarts_total', THIS)),
        thresholds: [
          [1, 'yellow'],
          [4, 'red'],
        ],
      }),
    ],
  }
}
