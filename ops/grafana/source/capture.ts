import type { Row } from '../build/layout.ts'
import { lines } from '../build/panel.ts'
import { percentiles, rate, sum } from '../build/query.ts'
import { THIS } from './this.ts'

export function captureRow(): Row {
  return {
    title: 'Capture',
    panels: [
      lines({
        title: 'Records by what they do',
        description: 'Records acknowledged by Kafka: a new state of an object, or its deletion.',
        unit: 'cps',
        width: 8,
        form: 'stacked',
        queries: [{ expr: sum(['op'], rate('tributary_capture_records_total', THIS)), legend: '{{op}}' }],
      }),
      lines({
        title: 'Records by topic',
        description: 'The same records, by where they go.',
        unit: 'cps',
        width: 8,
        form: 'stacked',
        queries: [{ expr: sum(['topic'], rate('tributary_capture_records_total', THIS)), legend: '{{topic}}' }],
      }),
      lines({
        title: 'Bytes',
        description: 'Bytes of the records acknowledged by Kafka.',
        unit: 'Bps',
        width: 8,
        queries: [{ expr: sum([], rate('tributary_capture_bytes_total', THIS)), legend: 'published' }],
      }),
      lines({
        title: 'From commit to Kafka',
        description: 'From the commit at the source until Kafka has it, for the newest change of each send.',
        unit: 's',
        width: 12,
        isLogarithmic: true,
        queries: percentiles('tributary_capture_latency_seconds', THIS),
      }),
      lines({
        title: 'Sends to Kafka',
        description: 'What one send takes until it is acknowledged. One is under way at a time.',
        unit: 's',
        width: 12,
        isLogarithmic: true,
        queries: percentiles('tributary_capture_send_seconds', THIS),
      }),
    ],
  }
}
