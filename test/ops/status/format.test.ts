import { expect, it } from 'vitest'
import { formatStatus } from '../../../ops/status/format.ts'
import type { SourceRow } from '../../../ops/status/status.ts'

const row: SourceRow = {
  source: 'shop',
  active: true,
  slot: 'streaming',
  position: '0/3A5E5B8',
  lagBytes: 0,
  lagSeconds: 0,
  deadLetters: 0,
}

function lines(...sources: SourceRow[]): string[] {
  return formatStatus({ sources, subscribers: [], failures: [] }, 0).slice(0, sources.length + 1)
}

it('shows the log that a source keeps beside its limit, and its dead letters', () => {
  expect(
    lines(
      { ...row, retainedBytes: 33_600_000, retainedLimitBytes: 50_000_000_000 },
      { ...row, source: 'crm', deadLetters: 12, retainedBytes: 900, retainedLimitBytes: null },
      { ...row, source: 'old' },
      { source: 'away', active: null, slot: null, position: null, lagBytes: null, lagSeconds: null, deadLetters: null },
    ),
  ).toEqual([
    'SOURCE  READER   SLOT       POSITION   LAG  LAG TIME  LOG KEPT            DEAD',
    'shop    reading  streaming  0/3A5E5B8  0 B  0 s       33.6 MB of 50.0 GB  0',
    'crm     reading  streaming  0/3A5E5B8  0 B  0 s       900 B of no limit   12',
    'old     reading  streaming  0/3A5E5B8  0 B  0 s       -                   0',
    'away    ?        ?          ?          ?    ?         ?                   ?',
  ])
})
