import type { Row } from '../build/layout.ts'
import { figure, lines, timeline } from '../build/panel.ts'
import { count, max, min, rate, series, sum } from '../build/query.ts'
import { UP } from '../figures.ts'

/** Of all that has been ours within a day: with every job chosen, others of the same Prometheus are in `up`, too. */
const ours = (figures: string) =>
  `${figures} and on (job, instance) ${count(['job', 'instance'], `last_over_time(${series('tributary_build_info')}[1d])`)}`

const BY = ['job', 'instance'] as const
const legend = '{{instance}}'

export function processesRow(): Row {
  return {
    title: 'Processes',
    panels: [
      timeline({
        title: 'Processes',
        description: 'Whether Prometheus gets an answer from each process.',
        unit: 'none',
        width: 12,
        queries: [{ expr: ours(min(BY, series('up'))), legend }],
        states: UP,
      }),
      timeline({
        title: 'Parts of the processes',
        description:
          'Captures, classes of deliveries, the exporter: down while one starts, is cut off, or has stopped. /readyz of its process says why.',
        unit: 'none',
        width: 12,
        queries: [{ expr: min(['instance', 'part'], series('tributary_part_up')), legend: '{{part}}, {{instance}}' }],
        states: UP,
      }),
      lines({
        title: 'Memory',
        description: 'Resident memory of each process. It is bounded, whatever comes.',
        unit: 'bytes',
        width: 8,
        queries: [{ expr: ours(max(BY, series('process_resident_memory_bytes'))), legend }],
      }),
      lines({
        title: 'Processor time',
        description: 'Share of one core that each process uses.',
        unit: 'percentunit',
        width: 8,
        queries: [{ expr: ours(sum(BY, rate('process_cpu_seconds_total'))), legend }],
      }),
      lines({
        title: 'Event loop',
        description: 'By how much one in 100 timers of a process comes too late: high where it has too much to do.',
        unit: 's',
        width: 8,
        queries: [{ expr: ours(max(BY, series('nodejs_eventloop_lag_p99_seconds'))), legend }],
      }),
      lines({
        title: 'Versions',
        description: 'Processes of each version. Two of them while a new one is rolled out.',
        unit: 'short',
        width: 16,
        queries: [
          { expr: count(['version', 'node'], series('tributary_build_info')), legend: '{{version}} on Node {{node}}' },
        ],
      }),
      figure({
        title: 'The exporter looked',
        description: 'Time since it last looked at groups, dead letters and servers. It does every 15 s.',
        unit: 's',
        width: 8,
        height: 8,
        expr: `time() - ${max([], series('tributary_exporter_look_timestamp_seconds'))}`,
        thresholds: [
          [60, 'yellow'],
          [180, 'red'],
        ],
      }),
    ],
  }
}
