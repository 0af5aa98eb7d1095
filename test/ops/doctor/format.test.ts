import { expect, test } from 'vitest'
import { ask, decided } from '../../../ops/doctor/answer.ts'
import { CHECK_NAMES, checksNamed } from '../../../ops/doctor/checks.ts'
import { isWell } from '../../../ops/doctor/doctor.ts'
import { fail, failed, ok, splitAdvice, unasked, warn } from '../../../ops/doctor/finding.ts'
import { formatFindings } from '../../../ops/doctor/format.ts'
import { TributaryError } from '../../../schemas/errors.ts'

const PLAIN = { colour: false }

test('what is wrong comes with what to do, what is well in columns, and a count at the end', () => {
  const findings = [
    fail('kafka-topics', 'shop.order', 'does not exist', 'tributary provision'),
    unasked('registry-schemas', 'registry', 'the registry does not answer'),
    ok('source-server', 'erp', 'PostgreSQL 18.4'),
    ok('ledger-server', 'redis', 'Redis 7.2.4'),
  ]
  expect(formatFindings(findings, PLAIN)).toEqual([
    'fail     kafka-topics            shop.order',
    '         does not exist',
    '         → tributary provision',
    '',
    'unknown  registry-schemas        registry: not asked: the registry does not answer',
    '',
    'ok       source-server           erp    PostgreSQL 18.4',
    'ok       ledger-server           redis  Redis 7.2.4',
    '',
    '4 checks: 1 fail, 1 unknown, 2 ok',
  ])
})

test('no line is longer than 100 columns, whatever the names, and colour is only where a person looks', () => {
  const long = 'word '.repeat(60).trim()
  const subject = 'a-source-with-a-long-name public.a_table_with_a_name_that_is_long'
  const findings = [
    warn('source-identity', subject, long, `${long}\n${long}`),
    unasked('source-slot', subject, long),
    ok('source-log', subject, long),
  ]
  const lines = formatFindings(findings, PLAIN)
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100)
  expect(
    formatFindings(
      findings.slice(2).map((one) => ({ ...one, subject: 'erp' })),
      PLAIN,
    ).every((line) => line.length <= 100),
  ).toBe(true)
  expect(lines.join()).not.toContain('\u001b')
  expect(formatFindings(findings, { colour: true }).join()).toContain('\u001b[33mwarn')
})

test('a check is named by itself or with its area', () => {
  expect(checksNamed('source-slot')).toEqual(['source-slot'])
  expect(checksNamed('ledger')).toEqual(['ledger-server', 'ledger-eviction', 'ledger-persistence', 'ledger-memory'])
  expect(checksNamed(undefined)).toEqual(CHECK_NAMES)
  expect(checksNamed('slot')).toEqual([])
})

test('warnings are well; what fails or is not known is not', () => {
  const good = [ok('clocks', 'a', ''), warn('clocks', 'a', '', '')]
  expect(isWell(good)).toBe(true)
  expect(isWell([...good, fail('clocks', 'a', '', '')])).toBe(false)
  expect(isWell([...good, unasked('clocks', 'a', '')])).toBe(false)
})

test('advice is split where it begins', () => {
  const broken = new TributaryError('ledger-unreachable', 'Redis does not answer (ECONNREFUSED). Check redis.url.')
  expect(failed('ledger-server', 'redis', broken)).toMatchObject({
    found: 'Redis does not answer (ECONNREFUSED)',
    todo: 'Check redis.url.',
  })
  const wordy = new TributaryError(
    'destination-unsuitable',
    `run \`tributary provision\`:\n${'- CREATE TABLE'.repeat(99)}`,
  )
  const { found, todo } = failed('subscriber-system', 'warehouse', wordy)
  expect([found.length, todo]).toEqual([400, expect.stringContaining('tributary provision')])
  expect(splitAdvice('wal_level is replica. Run: ALTER SYSTEM')).toEqual({
    found: 'wal_level is replica',
    todo: 'ALTER SYSTEM',
  })
  expect(splitAdvice('it is gone. Create it').todo).toBe('Create it')
  const told = 'column a.b is text; int64 is read from int8. Field b is declared int64'
  expect(splitAdvice(told)).toMatchObject({ found: told, todo: expect.stringContaining('tributary validate') })
})

test('an answer that does not come in time is not known; a refusal for good fails; a defect is thrown', async () => {
  const silent = await ask('kafka-unreachable', 'Kafka', new Promise(() => {}), 5)
  expect(silent.error).toMatchObject({ code: 'kafka-unreachable', message: 'Kafka gave no answer within 1 s.' })
  const away = await ask('kafka-unreachable', 'Kafka', Promise.reject(new TributaryError('kafka-unreachable', 'away')))
  expect(decided('kafka-topics', 'kafka', away, () => [])).toMatchObject([{ result: 'unknown', found: 'away' }])
  const refused = await ask('source-unreachable', 'erp', Promise.reject(new TributaryError('source-unsuitable', 'no')))
  expect(decided('source-slot', 'erp', refused, () => [])).toMatchObject([{ result: 'fail', found: 'no' }])
  const gone = await ask('kafka-unreachable', 'Kafka', Promise.reject(new TributaryError('topic-missing', 'no topic')))
  expect(decided('subscriber-letters', 'crm', gone, () => [])).toMatchObject([{ result: 'unknown', todo: null }])
  await expect(ask('kafka-unreachable', 'Kafka', Promise.reject(new TypeError('a defect')))).rejects.toThrow('a defect')
  expect(await ask('kafka-unreachable', 'Kafka', Promise.resolve(null))).toEqual({ value: null })
})
