import pino from 'pino'
import type { Log } from '../../connectors/kafka/client.ts'
import { formatLogLine } from './log-line.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Readable lines on stderr, for a process that someone started by hand on a terminal. */
export function createTerminalLog(level: LogLevel): Log {
  const least = LOG_LEVELS.indexOf(level)
  return (at, message, fields) => {
    if (LOG_LEVELS.indexOf(at) >= least) console.error(formatLogLine(at, message, fields ?? {}, new Date()))
  }
}

/** Writes JSON lines to stderr, or to a file. Whoever logs leaves out personal data and secrets. */
export function createLog(level: LogLevel, file?: string): Log {
  const logger = pino({ level, base: null }, pino.destination({ dest: file ?? 2, sync: true, mkdir: true }))
  return (at, message, fields) => logger[at](fields ?? {}, message)
}
