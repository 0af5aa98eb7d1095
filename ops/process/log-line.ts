import { WIDTH_MAX, wrap } from '../declaration/report/terminal-text.ts'

/** As wide as time and level. */
const INDENT = ' '.repeat(15)

/**
 * A log entry for a person: time, level and message, then the reason and the other fields, in at most {@link WIDTH_MAX} columns. Pure.
 * @param now local time
 */
export function formatLogLine(level: string, message: string, fields: Record<string, unknown>, now: Date): string {
  const { reason, inMs, ...others } = fields
  const rest = Object.entries(others)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
  const again = typeof inMs === 'number' ? [`in ${inMs / 1000} s`] : []
  const head = [message, ...again, ...rest].join(' ')
  const text = typeof reason === 'string' ? `${head}:\n${reason}` : head
  const lines = text.split('\n').flatMap((line) => wrap(line, WIDTH_MAX - INDENT.length))
  const start = `${now.toTimeString().slice(0, 8)} ${level.padEnd(6)}`
  return lines.map((line, index) => (index === 0 ? start : INDENT) + line).join('\n')
}
