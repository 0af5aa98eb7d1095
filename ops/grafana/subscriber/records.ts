import type { Row } from '../build/layout.ts'
import { lines } from '../build/panel.ts'
import { rate, sum } from '../build/query.ts'
import { THIS } from './this.ts'

export function recordsRow(): Row {
  return {
    title: 'What became of its records',
    panels: [
      lines({
        title: 'Records received',
        description: 'Records read from the topics. Repeats after a crash or a rebalance count again.',
        unit: 'cps',
        width: 8,
        form: 'stacked',
        queries: [{ expr: sum(['entity'], rate('tributary_records_received_total', THIS)), legend: '{{entity}}' }],
      }),
      lines({
        title: 'What became of them',
        description:
          'Each record received ends as one of these. Coalesced: one patch with another of its key. Duplicate, stale, unchanged: the ledger says that no request is needed.',
        unit: 'cps',
        width: 16,
        form: 'stacked',
        queries: [
          { expr: sum([], rate('tributary_patches_total', THIS)), legend: 'patched' },
          { expr: sum([], rate('tributary_records_coalesced_total', THIS)), legend: 'coalesced' },
          { expr: sum(['reason'], rate('tributary_records_gated_total', THIS)), legend: '{{reason}}' },
          {
            expr: sum([], rate('tributary_answers_total', THIS, 'outcome="newer"')),
            legend: 'the subscriber has a newer one',
          },
          { expr: sum([], rate('tributary_dead_letters_total', THIS)), legend: 'given up' },
        ],
      }),
      lines({
        title: 'Patches',
        description:
          'Patches that took effect, by what they did. Full ones hold every mapped field: to create, or where the ledger cannot be sure.',
        unit: 'cps',
        width: 8,
        queries: [
          { expr: sum(['op'], rate('tributary_patches_total', THIS, 'full="false"')), legend: '{{op}}' },
          { expr: sum(['op'], rate('tributary_patches_total', THIS, 'full="true"')), legend: '{{op}}, full' },
        ],
      }),
      lines({
        title: 'Fields patched',
        description: 'Fields in the patches that took effect.',
        unit: 'cps',
        width: 8,
        form: 'stacked',
        queries: [{ expr: sum(['entity'], rate('tributary_patched_fields_total', THIS)), legend: '{{entity}}' }],
      }),
      lines({
        title: 'Fields in a patch',
        description:
          'How many fields a patch has on average: few while it sends just the change, all while it sends everything again.',
        unit: 'short',
        width: 8,
        queries: [
          {
            expr: `${sum(['entity'], rate('tributary_patched_fields_total', THIS))} / ${sum(['entity'], rate('tributary_patches_total', THIS))}`,
            legend: '{{entity}}',
          },
        ],
      }),
    ],
  }
}
