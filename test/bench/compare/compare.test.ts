import { describe, expect, test } from 'vitest'
import { compareRuns, verdictOf } from './report/metrics.ts'
import { drawPlots } from './report/plots.ts'
import { formatTable } from './report/table.ts'
import type { Contender, Run } from './results.ts'
import { countWrong, integerOf, microseconds, readJsonEnvelope, withPoint } from './rows.ts'
import { ratesOf } from './topic-run.ts'
import { cpuAt } from './worker/watched-process.ts'

function run(contender: Contender, figures: Record<string, number>, reason: string | null = null): Run {
  return { scenario: 'capture', contender, round: 1, load: 0, figures, void: reason }
}

describe('figures', () => {
  test('the rate leaves out what was appended in the first moment, which began before it', () => {
    const rates = ratesOf(
      new Map([
        [1_000, 500],
        [1_500, 100],
        [2_000, 300],
      ]),
    )
    expect(rates).toEqual({
      firstAppendMs: 1_000,
      lastAppendMs: 2_000,
      recordsPerSecond: 400,
      secondHalfPerSecond: 400,
    })
  })

  test('the second half begins where half of the records are there', () => {
    const appended = new Map([1, 2, 3, 4, 5].map((second) => [second * 1000, second < 4 ? 10 : 100] as const))
    expect(ratesOf(appended).secondHalfPerSecond).toBe(100)
  })

  test('processor time between two samples is taken in proportion', () => {
    const samples = [
      { atMs: 0, cpuSeconds: 0 },
      { atMs: 100, cpuSeconds: 1 },
      { atMs: 200, cpuSeconds: 3 },
    ]
    expect([-5, 50, 150, 900].map((atMs) => cpuAt(samples, atMs))).toEqual([0, 0.5, 2, 3])
  })
})

describe('rows', () => {
  test('integers are read from their bytes, negative ones too', () => {
    expect(integerOf(Buffer.from('04d2', 'hex'))).toBe(1234n)
    expect(integerOf(Buffer.from('ff', 'hex'))).toBe(-1n)
  })

  test('a decimal gets its point back', () => {
    expect([withPoint(25n, 3), withPoint(-1250n, 2), withPoint(7n, 0)]).toEqual(['0.025', '-12.50', '7'])
  })

  test('a time keeps its microseconds, whatever zeros were left out', () => {
    expect(microseconds('2026-01-01T00:00:00.12Z')).toBe(1767225600120000n)
    expect(microseconds('2026-01-01T00:00:00Z')).toBe(1767225600000000n)
  })

  test('one changed value is a wrong row, and so is a row that the source has not', () => {
    const source = new Map([['1', '1|a']])
    expect(countWrong(source, ['1|a'], [])).toBe(0)
    expect(countWrong(source, ['1|b', '2|a'], [])).toBe(2)
  })

  test('a key that was changed and is not there is wrong', () => {
    expect(countWrong(new Map([['1', '1|a']]), ['1|a'], ['1', '3'])).toBe(1)
  })

  test('an envelope is read with its schema and without', async () => {
    const amount = (cents: number) => Buffer.from([cents >> 8, cents & 255]).toString('base64')
    const after = {
      customer_id: 7,
      name: 'n',
      email: 'e',
      street: 's',
      city: 'c',
      notes: 'x',
      balance: amount(1250),
      credit_limit: amount(300),
      discount: { scale: 3, value: amount(25) },
      orders: 4,
      created_at: '2026-01-01T00:00:00Z',
      updated_at: '2026-01-01T00:00:00.5Z',
    }
    const text = '7|n|e|s|c|x|1250|300|0.025|4|1767225600000000|1767225600500000'
    expect(await readJsonEnvelope('', Buffer.from(JSON.stringify({ after })))).toBe(text)
    expect(await readJsonEnvelope('', Buffer.from(JSON.stringify({ schema: {}, payload: { after } })))).toBe(text)
  })
})

describe('verdicts', () => {
  test('within a tenth it is a tie', () => {
    expect([1.2, 1.05, 0.95, 0.5, null].map(verdictOf)).toEqual(['win', 'tie', 'tie', 'loss', null])
  })

  test('a loss is a loss, in figures where less is better too', () => {
    const lines = compareRuns(
      [
        run('tributary', { recordsPerSecond: 100, peakMb: 500 }),
        run('debezium', { recordsPerSecond: 300, peakMb: 900 }),
        run('debezium-avro', { recordsPerSecond: 200, peakMb: 250 }),
      ],
      [],
    )
    expect(
      lines.map(({ metric, best, times, verdict, asExpected }) => [
        metric.figure,
        best?.contender,
        times,
        verdict,
        asExpected,
      ]),
    ).toEqual([
      ['recordsPerSecond', 'debezium', 1 / 3, 'loss', false],
      ['peakMb', 'debezium-avro', 0.5, 'loss', false],
    ])
  })

  test('what was not measured decides no expectation', () => {
    const [line] = compareRuns(
      [run('tributary', { bytesPerChange: 100 }), run('debezium', { bytesPerChange: 700 })],
      [],
    )
    expect(line!.asExpected).toBeNull()
  })

  test('a void run counts for nothing, and is named', () => {
    const runs = [
      run('tributary', { recordsPerSecond: 400 }),
      run('tributary', { recordsPerSecond: 9_000 }, '3 of 5 rows differ'),
      run('debezium', { recordsPerSecond: 100 }),
      run('bare', { recordsPerSecond: 500 }),
    ]
    const [line] = compareRuns(runs, [])
    expect([line!.times, line!.verdict, line!.asExpected]).toEqual([4, 'win', true])
    const machine = { cores: 2, processor: 'x', memoryGb: 1, node: 'x', platform: 'x', loadBefore: 0.1 }
    expect(formatTable([line!], { runs, machine })).toContain('3 of 5 rows differ')
    expect(formatTable([line!], { runs, machine })).not.toContain('busy')
    expect(formatTable([line!], { runs, machine: { ...machine, loadBefore: 30 } })).toContain('busy')
  })
})

describe('plots', () => {
  test('have a bar for each that was measured, and colours for light and dark', () => {
    const plots = drawPlots(
      [run('tributary', { recordsPerSecond: 400 }), run('debezium', { recordsPerSecond: 100 })],
      [],
    )
    expect([...plots.keys()]).toEqual(['capture.svg'])
    const svg = plots.get('capture.svg')!
    expect(svg.match(/<rect/g)).toHaveLength(2)
    expect(svg).toContain('prefers-color-scheme: dark')
  })
})
