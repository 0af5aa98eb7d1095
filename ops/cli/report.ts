import { CommanderError } from 'commander'
import { CATALOGUE, type ErrorCode, TributaryError } from '../../schemas/errors.ts'
import { WIDTH_MAX, wrap } from '../declaration/report/terminal-text.ts'

/** What a command that failed tells. */
export interface Report {
  /** A code of the catalogue, or `usage` for a command line that cannot be understood. */
  readonly code: ErrorCode | 'usage'
  readonly message: string
  /** 0 ok, 1 runtime, 2 declaration or usage invalid, 3 environment missing */
  readonly exitCode: number
}

/** Anything that was thrown, in words. Pure. What is not ours is a defect; its stack is for `TRIBUTARY_DEBUG`. */
export function reportOf(error: unknown): Report {
  if (error instanceof TributaryError)
    return { code: error.code, message: withoutSecrets(error.message), exitCode: error.exitCode }
  if (error instanceof CommanderError) {
    const message = error.message
      .replace(/^error: /, '')
      .replaceAll(/\s*\n\s*/g, ' ')
      .replace(/\.$/, '')
    return { code: 'usage', message: `${message}. Run with --help for what there is.`, exitCode: 2 }
  }
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return {
    code: 'invariant-broken',
    message: `A defect of tributary: ${withoutSecrets(text)}. Run it again with TRIBUTARY_DEBUG=1 for where, and report that.`,
    exitCode: CATALOGUE['invariant-broken'].exitCode,
  }
}

/** Libraries quote addresses whole. To the last `@` of the word: a password that should have been encoded may hold `@` and `/`. */
export function withoutSecrets(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)\S*@/gi, '$1***@')
}

const HANGING = '  '

/** For a terminal: the first line says who speaks, the others hang below it. */
export function formatReport({ message }: Report): string {
  const [first = '', ...others] = `tributary: ${message}`
    .split('\n')
    .flatMap((line) => wrap(line, WIDTH_MAX - HANGING.length))
  return [first, ...others.map((line) => HANGING + line)].join('\n')
}
