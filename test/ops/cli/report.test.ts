import { CommanderError } from 'commander'
import { expect, test } from 'vitest'
import { formatReport, reportOf, withoutSecrets } from '../../../ops/cli/report.ts'
import { CATALOGUE, type ErrorCode, TributaryError } from '../../../schemas/errors.ts'

test('an error keeps its code, its message and the exit code of the catalogue', () => {
  for (const code of Object.keys(CATALOGUE) as ErrorCode[])
    expect(reportOf(new TributaryError(code, 'what is wrong'))).toStrictEqual({
      code,
      message: 'what is wrong',
      exitCode: CATALOGUE[code].exitCode,
    })
})

test('a command line that cannot be understood is a usage error with a hint', () => {
  const error = new CommanderError(
    1,
    'commander.unknownOption',
    "error: unknown option '--fiel'\n(Did you mean --file?)",
  )
  expect(reportOf(error)).toStrictEqual({
    code: 'usage',
    message: "unknown option '--fiel' (Did you mean --file?). Run with --help for what there is.",
    exitCode: 2,
  })
})

test('what is not ours is a defect, without its stack', () => {
  const report = reportOf(new TypeError('x is not a function'))
  expect([report.code, report.exitCode]).toStrictEqual(['invariant-broken', 1])
  expect(report.message).toMatch(/defect of tributary: TypeError: x is not a function.+TRIBUTARY_DEBUG=1/)
  expect(report.message).not.toContain('\n')
})

test.each([
  ['connect to postgres://erp:s3cret@db:5432/erp failed', 'connect to postgres://***@db:5432/erp failed'],
  ['redis://:s3cret@cache', 'redis://***@cache'],
  ['http://us:s3/cr@et@host/api and postgres://a:s3cret@b', 'http://***@host/api and postgres://***@b'],
  ['http://host:8080/api', 'http://host:8080/api'],
])('user and password are covered: %s', (text, covered) => {
  expect(withoutSecrets(text)).toBe(covered)
})

test('a long message is laid out in 100 columns, its lines kept', () => {
  const message = `first:\n- ${'word '.repeat(60).trim()}\n- last`
  const lines = formatReport(reportOf(new TributaryError('source-unsuitable', message))).split('\n')
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100)
  expect(lines[0]).toBe('tributary: first:')
  expect(lines.at(-1)).toBe('  - last')
})
