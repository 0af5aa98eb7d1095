import { z } from 'zod'
import { TributaryError } from '../../schemas/errors.ts'
import { FIELD_TYPE_FORMS, parseFieldType } from '../../schemas/field-type.ts'
import { DURATION, type NotationFault, SIZE } from './notation.ts'
import { didYouMean, shownName } from './problem.ts'

/**
 * What definitions are made of.
 *
 * Every `error` completes the sentence "must be …", unless the issue is `custom`: then it is the whole message, and
 * `params.expected` completes the sentence where the value came from the environment and may not be shown.
 */

export const TEXT = 'text'
export const NAME = /^[a-z][a-z0-9-]{0,59}$/

export const text = (error = TEXT) => z.string({ error }).min(1, { error })
export const matching = (pattern: RegExp, error: string) => z.string({ error }).regex(pattern, { error })
export const duration = () => matching(DURATION, 'a duration such as `500ms`, `30s`, `15m`, `2h` or `7d`')
export const size = () => matching(SIZE, 'a size such as `256KB` or `8MB`')
export const postgresUrl = () =>
  matching(/^postgres(ql)?:\/\/[^\s/]/, 'an address such as `postgres://user:password@host:5432/database`')

export function whole(min: number, max: number) {
  const error = `a whole number from ${min} to ${max}`
  return z.int({ error }).min(min, { error }).max(max, { error })
}

export function listed(names: readonly string[], last: string): string {
  const quoted = names.map((name) => `\`${name}\``)
  return quoted.length > 1 ? `${quoted.slice(0, -1).join(', ')} ${last} ${quoted.at(-1)}` : quoted.join()
}

export function oneOf<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values, { error: listed(values, 'or') })
}

export function mapping<T extends z.core.$ZodLooseShape>(
  shape: T,
  error = `a mapping of ${listed(Object.keys(shape), 'and')}`,
) {
  return z.strictObject(shape, { error: (issue) => (issue.code === 'invalid_type' ? error : undefined) })
}

export function named<T extends z.ZodType>(value: T, names: RegExp, error: string) {
  return z.record(z.string(), value, { error }).meta({ propertyNames: { pattern: names.source } })
}

/** Text in a notation of its own. `expected` is also what is said where the text itself may not be shown. */
export function written(parse: (text: string) => object, expected: string) {
  return text(expected).superRefine((value, context) => {
    if (value === '') return
    const { message, suggestion } = faultOf(parse, value) ?? {}
    if (message === undefined) return
    context.addIssue({ code: 'custom', message, params: { expected, ...(suggestion && { suggestion }) } })
  })
}

function faultOf(parse: (text: string) => object, value: string): { message: string; suggestion?: string } | undefined {
  try {
    const parsed = parse(value)
    if (!('fault' in parsed)) return undefined
    const { fault, ...rest } = parsed as NotationFault
    return { message: `${shownName(value)} ${fault}`, ...rest }
  } catch (error) {
    if (!(error instanceof TributaryError)) throw error
    const isUnknown = error.message.startsWith('unknown type')
    const suggestion = isUnknown ? didYouMean(value, FIELD_TYPE_FORMS) : undefined
    return {
      message: error.message.replace(`"${value.trim()}"`, () => shownName(value)),
      ...(suggestion && { suggestion }),
    }
  }
}

export const fieldType = () =>
  written(parseFieldType, `a type: ${FIELD_TYPE_FORMS.join(', ')}`).meta({
    examples: ['string', 'int64', 'decimal(12,2)', 'timestamptz', 'enum(open,paid)', 'string[]'],
  })
