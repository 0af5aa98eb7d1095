import type { Row } from '../build/layout.ts'
import { lines, type States, timeline } from '../build/panel.ts'
import { max, series } from '../build/query.ts'
import { THIS } from './this.ts'

const RUNNING: States = { 0: ['done', 'text'], 1: ['reading', 'blue'] }
const BY = ['entity'] as const
const legend = '{{entity}}'

export function snapshotsRow(): Row {
  const done = max(BY, series('tributary_snapshot_rows_done', THIS))
  const estimated = max(BY, series('tributary_snapshot_rows_estimated', THIS))
  return {
    title: 'Snapshots',
    panels: [
      timeline({
        title: 'Snapshots',
        description: 'Entities whose rows are being read beside the stream.',
        unit: 'none',
        width: 8,
        queries: [{ expr: max(BY, series('tributary_snapshot_running', THIS)), legend }],
        states: RUNNING,
      }),
      lines({
        title: 'Progress',
        description: 'Rows read, of those that may have to be read. That number is an estimate.',
        unit: 'percentunit',
        width: 8,
        queries: [{ expr: `${done} / ${estimated}`, legend }],
      }),
      lines({
        title: 'Rows read',
        description: 'Rows that the latest snapshot of each entity has read.',
        unit: 'short',
        width: 8,
        queries: [{ expr: done, legend }],
      }),
    ],
  }
}
