import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { FAILING_CLASS, FAULTS, LOSSES } from '../chaos/run/faults.ts'
import { ROOT } from './pages.ts'

const PAGE = 'docs/contributing/faults.md'

/** Every fault that has to be tried, as the page names it. More may be there. */
const WANTED = [
  ...['capture killed', 'capture frozen, replaced and awake again', 'capture in a crash loop'],
  ...['capture restarted gracefully', 'delivery killed', 'delivery frozen, replaced and awake again'],
  ...['delivery in a crash loop', 'delivery restarted gracefully', 'clock an hour off'],
  ...['broker killed', 'broker restarted', 'broker stalled for 30 s', 'broker out of disk', 'rebalance storm'],
  ...['answer to a produce request lost after the append', 'compaction under a lagging consumer'],
  'subscriber away for longer than delete.retention.ms',
  ...['flushed', 'set back to an earlier copy', 'killed, with the last second lost', 'full'],
  'black-holed, with late answers and late commands',
  ...['registry away', 'unknown id', 'incompatible schema', 'corrupt', 'truncated', 'oversized'],
  ...['throttling', 'failing', 'slow', 'resetting before it applies', 'resetting after it applied', 'refusing one key'],
  ...[
    'slot dropped',
    'slot invalidated',
    'database restored from an older copy',
    'DDL',
    'key changes',
    'TRUNCATE',
    'TOAST',
  ],
  ...['idle source beside a busy neighbour table', 'a 500,000-row transaction among short ones'],
  ...['rollbacks and savepoints', 'extreme values of every type'],
]

const rows = readFileSync(ROOT + PAGE, 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| Fault |') && !line.startsWith('| --- |'))
  .map((line) => {
    const [, fault, where] = line.split('|').map((cell) => cell.trim())
    return { fault: fault!, files: [...where!.matchAll(/`([^`]+)`/g)].map(([, file]) => file!) }
  })

test('every fault has a row, and every row a test', () => {
  const named = rows.filter(({ files }) => files.length > 0).map(({ fault }) => fault)
  expect(WANTED.filter((fault) => !named.includes(fault))).toEqual([])
  expect(rows.filter(({ files }) => files.length === 0)).toEqual([])
})

test('every fault that happens at random is named', () => {
  const page = readFileSync(ROOT + PAGE, 'utf8')
  const kinds = [...Object.values(FAULTS).flat(), ...LOSSES, FAILING_CLASS]
  expect(kinds.filter((kind) => !page.includes(`\`${kind}\``))).toEqual([])
})

test('every test that is named exists', () => {
  const files = rows.flatMap((row) => row.files)
  expect(files.filter((file) => !(/\.test\.ts$/.test(file) && existsSync(ROOT + file)))).toEqual([])
})

test('every scripted scenario is named', () => {
  const scenarios = readdirSync(`${ROOT}test/chaos/scenarios`).filter((name) => name.endsWith('.test.ts'))
  const files = new Set(rows.flatMap((row) => row.files))
  expect(scenarios.filter((name) => !files.has(`test/chaos/scenarios/${name}`))).toEqual([])
})
