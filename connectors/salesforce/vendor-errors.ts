import { TributaryError } from '../../schemas/errors.ts'
import type { EntityMapping, Outcome, Upsert } from '../destination.ts'
import { referredTargets } from './record/fields.ts'

/** An error as Salesforce tells it. `message` may repeat values: it is looked at, never passed on. */
export interface VendorError {
  readonly code: string
  readonly message: string
  readonly fields: readonly string[]
}

/** What a status code says of one record. */
type Verdict =
  /** The record is at fault. */
  | 'rejected'
  /** Several objects have its key: a person has to decide. */
  | 'several'
  /** Another transaction was in its way, or its own took too much; nothing was changed. */
  | 'conflict'
  | 'throttled'
  /** It waits for another object. */
  | 'blocked'
  /** A referred object or a field is not there: {@link verdictOf} looks closer. */
  | 'reference-or-field'
  /** Nobody's fault, or the declaration's: it would hit every record. */
  | 'unavailable'
  | 'unsuitable'
  /** The object that was found by its key a moment ago is gone. */
  | 'gone'

/**
 * Codes that do not mean that the record is at fault ("StatusCode" and "ExceptionCode" of the SOAP API reference, which REST shares). Any other
 * does: most of them are rules for values, and an organisation's own rules and triggers use them too.
 */
const VERDICTS: Readonly<Record<string, Verdict>> = {
  MULTIPLE_CHOICES: 'several',
  DUPLICATE_EXTERNAL_ID: 'several',

  UNABLE_TO_LOCK_ROW: 'conflict',
  ALL_OR_NONE_OPERATION_ROLLED_BACK: 'conflict',
  PROCESSING_HALTED: 'conflict',
  ENTITY_IS_LOCKED: 'conflict',
  // Its own failure, and the record says that it was not saved.
  UNKNOWN_EXCEPTION: 'conflict',

  // Limits of one transaction, not of the organisation: they give nobody else rest.
  REQUEST_RUNNING_TOO_LONG: 'conflict',
  EXCEEDED_MAX_TRANSACTION_LIMIT: 'conflict',

  REQUEST_LIMIT_EXCEEDED: 'throttled',

  // A unique value that another object still holds: it may be moving between two keys.
  DUPLICATE_VALUE: 'blocked',
  // Others refer to it; they may be on their way out too.
  DELETE_FAILED: 'blocked',
  INVALID_CROSS_REFERENCE_KEY: 'reference-or-field',
  INVALID_FIELD: 'reference-or-field',

  SERVER_UNAVAILABLE: 'unavailable',
  STORAGE_LIMIT_EXCEEDED: 'unavailable',
  API_CURRENTLY_DISABLED: 'unavailable',
  API_DISABLED_FOR_ORG: 'unavailable',
  INVALID_SESSION_ID: 'unavailable',
  FUNCTIONALITY_TEMPORARILY_UNAVAILABLE: 'unavailable',

  INVALID_TYPE: 'unsuitable',
  INVALID_FIELD_FOR_INSERT_UPDATE: 'unsuitable',
  INSUFFICIENT_ACCESS: 'unsuitable',
  MALFORMED_QUERY: 'unsuitable',
  NOT_FOUND: 'unsuitable',
}

/** How a record was found: by what stands in the request, or by an id that was looked up before. */
export type Addressed = 'key' | 'id'

/** How long to stay away when a limit is used up and no time is told: the daily one comes back a bit at a time. */
export const LIMIT_AFTER_MS = 60_000

const CODE = /^[A-Z][A-Z0-9_]{0,79}$/

/** Reads the errors of an answer or of one item: `errorCode` in the one, `statusCode` in the other. Empty where there are none to read. */
export function readErrors(told: unknown): readonly VendorError[] {
  const list: readonly unknown[] = Array.isArray(told) ? told : [told]
  return list.flatMap((item) => {
    if (typeof item !== 'object' || item === null) return []
    const { errorCode, statusCode, message, fields } = item as Record<string, unknown>
    const code = typeof errorCode === 'string' ? errorCode : statusCode
    if (typeof code !== 'string' || !CODE.test(code)) return []
    return [
      {
        code,
        message: typeof message === 'string' ? message : '',
        fields: Array.isArray(fields) ? fields.filter((field): field is string => typeof field === 'string') : [],
      },
    ]
  })
}

/** What the errors of one record mean. The first that is not the record's own fault decides. */
export function recordOutcome(
  errors: readonly VendorError[],
  mapping: EntityMapping,
  fields: Upsert['fields'],
  addressed: Addressed,
): Outcome {
  const judged = errors.map((error) => ({ error, verdict: verdictOf(error, mapping, fields, addressed) }))
  const first = judged.find(({ verdict }) => verdict !== 'rejected') ?? judged[0]
  if (first === undefined)
    return { kind: 'unavailable', error: unavailable('a record failed without an error that can be read') }
  const { error, verdict } = first
  switch (verdict) {
    case 'gone':
      return { kind: 'absent' }
    case 'conflict':
      return { kind: 'conflict' }
    case 'throttled':
      return { kind: 'throttled', afterMs: LIMIT_AFTER_MS }
    case 'blocked':
    case 'reference-or-field':
      return {
        kind: 'blocked',
        by: verdict === 'blocked' ? '' : referredIn(error, mapping, fields),
        code: error.code,
        reason: reasonOf(error, mapping),
      }
    case 'unavailable':
      return { kind: 'unavailable', error: unavailable(`Salesforce answers ${error.code}`) }
    case 'unsuitable':
      return { kind: 'unavailable', error: unsuitable(error, mapping) }
    case 'several':
      return {
        kind: 'rejected',
        code: 'MULTIPLE_CHOICES',
        reason: `several objects of ${mapping.target} have this key: a person has to merge them, or clear the key of all but one`,
      }
    case 'rejected':
      return { kind: 'rejected', code: error.code, reason: reasonOf(error, mapping) }
  }
}

/** Whether an error of a whole request would come with any of its records: splitting it would find no culprit. */
export function hitsAll({ code, message }: VendorError): boolean {
  const verdict = VERDICTS[code]
  return verdict === 'unsuitable' || verdict === 'unavailable' || (code === 'INVALID_FIELD' && isUnknownField(message))
}

function verdictOf(
  { code, message, fields: named }: VendorError,
  mapping: EntityMapping,
  fields: Upsert['fields'],
  addressed: Addressed,
): Verdict {
  // A lock that a trigger of the organisation ran into.
  if (code === 'CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY' && message.includes('UNABLE_TO_LOCK_ROW')) return 'conflict'
  if (addressed === 'id' && code === 'ENTITY_IS_DELETED') return 'gone'
  const verdict = VERDICTS[code] ?? 'rejected'
  if (verdict !== 'reference-or-field') return verdict
  const refers = referredTargets(mapping, fields).length > 0
  if (code === 'INVALID_CROSS_REFERENCE_KEY') {
    const isId = named.length === 0 || named.some((name) => name.toLowerCase() === 'id')
    return addressed === 'id' && isId && !refers ? 'gone' : verdict
  }
  // `Foreign key external ID: … not found for field … in entity …` has the code of a field that does not exist.
  return refers && !isUnknownField(message) ? verdict : 'unsuitable'
}

function isUnknownField(message: string): boolean {
  return message.includes('No such column')
}

/** The target of the lookup that an error is about, as far as it can be told. */
function referredIn({ message }: VendorError, mapping: EntityMapping, fields: Upsert['fields']): string {
  const targets = [...new Set(referredTargets(mapping, fields))]
  if (targets.length === 1) return targets[0]!
  const named = targets.filter((target) => message.split(/\W+/).includes(target))
  return named.length === 1 ? named[0]! : ''
}

/** Without the message, and with names only that are fields of this mapping: a name that is told could be anything. */
function reasonOf({ code, fields }: VendorError, mapping: EntityMapping): string {
  const known = new Set(mapping.fields.map(({ to }) => to.toLowerCase()))
  const named = fields.filter((name) => known.has(name.toLowerCase()))
  return `Salesforce answers ${code}${named.length > 0 ? ` for ${named.join(', ')}` : ''}`
}

export function unavailable(message: string): TributaryError {
  return new TributaryError('destination-unreachable', message)
}

function unsuitable({ code }: VendorError, { target }: EntityMapping): TributaryError {
  return new TributaryError(
    'destination-unsuitable',
    `Salesforce answers ${code} for ${target}: an object, a field or a right is missing; \`tributary provision\` says which`,
  )
}
