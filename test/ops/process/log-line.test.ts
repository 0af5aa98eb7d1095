import { expect, test } from 'vitest'
import { formatLogLine } from '../../../ops/process/log-line.ts'

const NOW = new Date(2026, 0, 2, 3, 4, 5)

test('the reason of a retry comes below the message, in 100 columns', () => {
  const reason = `No Kafka broker answers at broker-1:9092: ${'word '.repeat(40).trim()}`
  const lines = formatLogLine('warn', 'capture of erp stopped, trying again', { reason, inMs: 500 }, NOW).split('\n')
  expect(lines[0]).toBe('03:04:05 warn  capture of erp stopped, trying again in 0.5 s:')
  expect(lines[1]).toMatch(/^ {15}No Kafka broker/)
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100)
})

test('other fields follow the message, and those without a value are left out', () => {
  const line = formatLogLine('info', 'snapshot', { entity: 'customer', rowsDone: 20, leftSeconds: null }, NOW)
  expect(line).toBe('03:04:05 info  snapshot entity=customer rowsDone=20')
})
