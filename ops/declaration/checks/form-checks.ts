import { z } from 'zod'
import { type Declared, definition } from '../definition.ts'
import { TEXT } from '../forms.ts'
import { didYouMean, type Path, type Problem, shownName, UNKNOWN_FIELD } from '../problem.ts'
import { SUBSCRIBER_TYPES } from '../subscribers/kinds.ts'
import type { Located } from '../yaml/located.ts'

type Issue = z.core.$ZodIssue

/**
 * Checks values against the definition.
 * Texts from the environment stand for numbers and booleans too where those are asked for: `replication: ${REPLICATION}`.
 * @returns the values as zod leaves them (also with problems), and what is wrong with each part by itself
 */
export function checkForm(located: Located): {
  value: unknown
  declared: Declared | undefined
  problems: readonly Problem[]
} {
  let result = definition.safeParse(located.value)
  if (!result.success && convertReferences(located, result.error.issues)) result = definition.safeParse(located.value)
  if (result.success) return { value: located.value, declared: result.data, problems: [] }
  const problems = result.error.issues.flatMap((issue) => describe(located, issue, []))
  return { value: located.value, declared: undefined, problems }
}

/** Turns texts that came from the environment into the number or boolean asked for, in place. Whether any was turned. */
function convertReferences(located: Located, issues: readonly Issue[]): boolean {
  let converted = false
  for (const issue of issues.flatMap(branches)) {
    if (issue.code !== 'invalid_type' || located.spot(issue.path as Path)?.shown === undefined) continue
    const parent = valueAt(located.value, issue.path.slice(0, -1) as Path) as Record<PropertyKey, unknown>
    const key = issue.path.at(-1)!
    const value = convert(String(parent[key]), issue.expected)
    if (value === undefined) continue
    parent[key] = value
    converted = true
  }
  return converted
}

function convert(text: string, expected: string): number | boolean | undefined {
  if (['number', 'int'].includes(expected) && /^-?\d{1,15}$/.test(text)) return Number(text)
  if (expected === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  return undefined
}

/** What is wrong with a value as a whole, so that it was not meant for this branch. */
const UNLIKE: readonly Issue['code'][] = ['invalid_type', 'invalid_value']

/** The issue itself, or for a union the issues of the branch that the value was meant for. */
function branches(issue: Issue): readonly Issue[] {
  if (issue.code !== 'invalid_union') return [issue]
  const meant = issue.errors.find(
    (branch) => !branch.some((inner) => UNLIKE.includes(inner.code) && inner.path.length === 0),
  )
  return meant ? meant.flatMap((inner) => branches({ ...inner, path: [...issue.path, ...inner.path] })) : [issue]
}

function describe(located: Located, issue: Issue, base: Path): readonly Problem[] {
  const [first] = branches(issue)
  if (first !== issue) return branches(issue).flatMap((inner) => describe(located, inner, base))
  const path = issue.path as Path
  if (issue.code === 'unrecognized_keys') {
    const known = knownNames(definition, path, located.value)
    return issue.keys.map((key) => {
      const suggestion = didYouMean(key, known) ?? `known here: ${known.map((name) => `\`${name}\``).join(', ')}`
      return located.problem([...path, key], `${UNKNOWN_FIELD} ${shownName(key)}`, suggestion, 'key')
    })
  }
  const spot = located.spot(path)
  if (spot?.unresolved) return []
  const value = valueAt(located.value, path)
  if (spot === undefined && path.length > 0)
    return [located.problem(path, `\`${String(path.at(-1))}\` is missing`, `it must be ${issue.message}`)]
  if (issue.code === 'custom') return [describeCustom(located, issue, path, spot?.shown)]
  const suggestion = suggest(issue, value, spot?.shown !== undefined)
  const subject = spot?.shown === undefined ? 'must' : `\`${spot.shown}\` must`
  return [located.problem(path, `${subject} be ${issue.message}${found(issue, value)}`, suggestion)]
}

function describeCustom(
  located: Located,
  issue: z.core.$ZodIssueCustom,
  path: Path,
  shown: string | undefined,
): Problem {
  const { expected, suggestion } = (issue.params ?? {}) as { expected?: string; suggestion?: string }
  if (expected === undefined)
    return located.problem(path, shown === undefined ? issue.message : `\`${shown}\` ${issue.message}`)
  if (shown !== undefined) return located.problem(path, `\`${shown}\` must be ${expected}`)
  return located.problem(path, issue.message, suggestion)
}

function found(issue: Issue, value: unknown): string {
  if (issue.code !== 'invalid_type' && issue.code !== 'invalid_union') return value === '' ? ', not empty' : ''
  if (value === null || value === undefined) return ', not empty'
  if (Array.isArray(value)) return ', not a list'
  if (typeof value === 'object') return ', not a mapping'
  return typeof value === 'string' ? '' : `, not a ${typeof value}`
}

function suggest(issue: Issue, value: unknown, secret: boolean): string | undefined {
  if (issue.code === 'invalid_type' && issue.message === TEXT && ['number', 'boolean'].includes(typeof value))
    return 'put it in quotes'
  if (issue.code === 'invalid_value' && issue.values.length > 1 && typeof value === 'string' && !secret)
    return didYouMean(value, issue.values.map(String))
  if (issue.code === 'invalid_union' && issue.path.at(-1) === 'type' && typeof value === 'string' && !secret)
    return didYouMean(value, SUBSCRIBER_TYPES)
  return undefined
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, part) =>
      typeof inner === 'object' && inner !== null ? (inner as Record<string | number, unknown>)[part] : undefined,
    value,
  )
}

/** The names that the definition allows in the mapping at a path. */
function knownNames(schema: z.core.$ZodType, path: Path, value: unknown): readonly string[] {
  const inner = unwrap(schema, value)
  if (inner instanceof z.ZodObject) {
    const [name, ...rest] = path
    if (name === undefined) return Object.keys(inner.shape)
    const next = inner.shape[name]
    return next ? knownNames(next, rest, valueAt(value, [name])) : []
  }
  const [name, ...rest] = path
  if (name === undefined) return []
  if (inner instanceof z.ZodRecord) return knownNames(inner.valueType, rest, valueAt(value, [name]))
  return []
}

function unwrap(schema: z.core.$ZodType, value: unknown): z.core.$ZodType {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
  )
    return unwrap(schema.def.innerType, value)
  if (schema instanceof z.ZodDiscriminatedUnion)
    return schema.options.find((option) => branchOf(option) === valueAt(value, ['type'])) ?? schema
  if (schema instanceof z.ZodUnion)
    return unwrap(schema.options.find((option: z.core.$ZodType) => option instanceof z.ZodObject) ?? schema, value)
  return schema
}

/** The `type` that a branch of a discriminated union is for. */
function branchOf(option: z.core.$ZodType): unknown {
  const type = option instanceof z.ZodObject ? option.shape.type : undefined
  return type instanceof z.ZodLiteral ? type.value : undefined
}
