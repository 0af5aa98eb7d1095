import { CATALOGUE, type TributaryError } from '../../schemas/errors.ts'
import { withoutSecrets } from '../cli/report.ts'
import type { CheckName } from './checks.ts'

/**
 * - `ok`: as it should be
 * - `warn`: it works now; the finding says what it costs or when it breaks
 * - `fail`: the pipeline does not do what it promises until this is set right
 * - `unknown`: it could not be asked
 */
export const RESULTS = ['fail', 'unknown', 'warn', 'ok'] as const
export type Result = (typeof RESULTS)[number]

/** What one check says of one thing. `--json` prints it as it is. */
export interface Finding {
  readonly name: CheckName
  /** What was looked at: a source, a table of it, a topic, a subscriber, a server. */
  readonly subject: string
  readonly result: Result
  readonly found: string
  /** A command or a sentence a line; null where nothing is to be done. */
  readonly todo: string | null
}

export function ok(name: CheckName, subject: string, found: string): Finding {
  return { name, subject, result: 'ok', found, todo: null }
}

export function warn(name: CheckName, subject: string, found: string, todo: string): Finding {
  return { name, subject, result: 'warn', found, todo }
}

export function fail(name: CheckName, subject: string, found: string, todo: string): Finding {
  return { name, subject, result: 'fail', found, todo }
}

/** It was asked, and the answer was an error. */
export function failed(name: CheckName, subject: string, error: TributaryError): Finding {
  return { name, subject, result: 'fail', ...sayError(error) }
}

export function unknown(name: CheckName, subject: string, error: TributaryError): Finding {
  return { name, subject, result: 'unknown', ...sayError(error) }
}

/** What is not asked because something else has failed, which says itself what to do. */
export function unasked(name: CheckName, subject: string, why: string): Finding {
  return { name, subject, result: 'unknown', found: `not asked: ${why}`, todo: null }
}

/** Some quote whole statements, which `tributary provision` prints better. */
const FOUND_CHARACTERS_MAX = 400
/** How the sentence of a message begins that says what to do. */
const ADVICE = /^(.+?[^.])\.?\s+((?:Check|Correct|Give|Grant|Raise|Run|Start)\b.+)$/

function sayError({ code, message }: TributaryError): Pick<Finding, 'found' | 'todo'> {
  const text = withoutSecrets(message).replaceAll(/\s*\n\s*/g, ' ')
  const [, found = text, todo = CATALOGUE[code].whatToDo] = ADVICE.exec(text) ?? []
  return { found: clip(found, FOUND_CHARACTERS_MAX), todo }
}

function clip(text: string, charactersMax: number): string {
  return text.length <= charactersMax ? text : `${text.slice(0, charactersMax - 1)}…`
}

const ALIKE_MAX = 3

/** Many findings that are alike but for their subjects, as one that names some of those. @param what said of them all */
export function gather(findings: readonly Finding[], subject: string, what: string): readonly Finding[] {
  const [first] = findings
  if (first === undefined || findings.length <= ALIKE_MAX) return findings
  const named = findings.slice(0, ALIKE_MAX).map((one) => one.subject)
  return [{ ...first, subject, found: `${findings.length} ${what}: ${named.join(', ')} and others` }]
}

/** Findings of what is wrong; one that all is well where there are none. */
export function orElse(findings: readonly Finding[], well: Finding): readonly Finding[] {
  return findings.length > 0 ? findings : [well]
}

/** A finding of the catalogue of a source, `what is wrong. Run: what to do`, in its two parts. */
export function splitAdvice(text: string): { readonly found: string; readonly todo: string } {
  const [, found, todo] = /^(.+?)\. (?:Run: )?((?!Field )\S.*)$/s.exec(text) ?? []
  if (found !== undefined && todo !== undefined) return { found, todo }
  return { found: text, todo: 'Correct it at the source or in tributary.yaml, then run: tributary validate' }
}

/** `1 table`, `3 tables`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
