import { isBusy } from '../../support/machine.ts'
import { alignColumns } from '../../support/report.ts'
import { formatValue } from '../../support/statistics.ts'
import type { Contender, Results } from '../results.ts'
import type { Line } from './metrics.ts'

const COLUMNS: Readonly<Record<Contender, string>> = {
  bare: 'bare reader',
  tributary: 'tributary',
  debezium: 'defaults',
  'debezium-json': 'tuned, JSON',
  'debezium-avro': 'tuned, Avro',
  'debezium-prompt': 'prompt, Avro',
}

/** The table for the terminal: aligned, Debezium's variants side by side, and who has won. */
export function formatTable(lines: readonly Line[], { runs, machine }: Pick<Results, 'runs' | 'machine'>): string {
  const head = ['', ...Object.values(COLUMNS), 'times', '', 'expected']
  const body = lines.map((line) => [
    `${line.metric.title}${line.metric.unit === '' ? '' : `, ${line.metric.unit}`}`,
    ...(Object.keys(COLUMNS) as Contender[]).map((contender) => formatValue(line.values.get(contender))),
    line.times === null ? '' : line.times.toPrecision(2),
    line.verdict ?? '',
    expectation(line),
  ])
  const rows = alignColumns([head, ...body])
  const voids = runs.filter((run) => run.void !== null)
  const notes = voids.map(
    ({ scenario, contender, round, void: reason }) =>
      `void: ${scenario}, ${contender}, round ${round}: ${reason!.split('\n', 1)[0]}`,
  )
  return [
    ...rows,
    '',
    `Middle of ${runs.length} runs; beside the best of Debezium: a tie within a tenth. ${voids.length} void.`,
    ...notes,
    ...(isBusy(machine) ? [BUSY] : []),
  ].join('\n')
}

function expectation({ metric: { expected, bound, unit }, asExpected }: Line): string {
  if (asExpected === null) return ''
  const parts = expected.map(({ times, than }) => `${times} times${than === 'best' ? '' : ` ${COLUMNS[than]}`}`)
  if (bound !== undefined) parts.push(`at most ${bound.toLocaleString('en')} ${unit}`)
  return `${parts.join(', ')}: ${asExpected ? 'yes' : 'NO'}`
}

const BUSY = 'The machine was busy with something else: only the bytes of a change can be relied on.'

/** The same as a page. */
export function formatPage(
  lines: readonly Line[],
  { machine, startedAt, minutes, options, versions, runs }: Results,
): string {
  const used = (Object.keys(COLUMNS) as Contender[]).filter((contender) =>
    lines.some(({ values }) => values.has(contender)),
  )
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const busiest = Math.max(...runs.map(({ load }) => load))
  const voids = runs.filter((run) => run.void !== null).length
  return [
    '# Results',
    '',
    `Written by \`npm run bench -- compare\`; [what is measured, and how](compare.md). Started ${startedAt}, ${minutes} minutes, ${runs.length} runs, ${voids} of them void.`,
    `${machine.cores} cores (${machine.processor}), ${machine.memoryGb} GB, Node ${machine.node}, ${Object.entries(
      versions,
    )
      .map(([name, version]) => `${name} ${version}`)
      .join(
        ', ',
      )}. ${options.rows} changes in a backlog over ${options.keys} rows, each measured ${options.repeat} times.`,
    `Load average before the runs: ${machine.loadBefore}, at most ${busiest} before one of them (the benchmark's own work included).`,
    ...(isBusy(machine) ? [BUSY] : []),
    '',
    'The middle of the valid runs. *Times*: how many times better tributary is than the best of Debezium; within a tenth it is a tie.',
    '',
    row(['', ...used.map((contender) => COLUMNS[contender]), 'times', '', 'expected']),
    row(['---', ...used.map(() => '---:'), '---:', '---', '---']),
    ...lines.map((line) =>
      row([
        `${line.metric.title}${line.metric.unit === '' ? '' : `, ${line.metric.unit}`}`,
        ...used.map((contender) => formatValue(line.values.get(contender))),
        line.times === null ? '' : line.times.toPrecision(2),
        line.verdict ?? '',
        expectation(line),
      ]),
    ),
    '',
  ].join('\n')
}
