import type { FieldType, Value } from '../../schemas/field-type.ts'

/** A value as it stands in a declaration. */
export type Literal = string | number | boolean

const INT32 = { min: -(2n ** 31n), max: 2n ** 31n - 1n }
const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n }
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const NUMBER = /^-?\d{1,1000}(?:\.\d{1,1000})?$/

/** The type of some literals that name none; undefined where they differ. */
export function typeOfLiterals(literals: readonly Literal[]): FieldType | undefined {
  const kinds = new Set(literals.map((literal) => typeof literal))
  if (kinds.size !== 1) return undefined
  if (kinds.has('string')) return { kind: 'string' }
  if (kinds.has('boolean')) return { kind: 'boolean' }
  return { kind: literals.every((literal) => Number.isInteger(literal)) ? 'int64' : 'double' }
}

/** A literal in the canonical form of a type; undefined where it does not fit, or the type has no literals. Numbers may be texts. */
export function literalValue(type: FieldType, literal: Literal): Value | undefined {
  switch (type.kind) {
    case 'string':
      return typeof literal === 'string' ? literal : undefined
    case 'enum':
      return typeof literal === 'string' && type.symbols.includes(literal) ? literal : undefined
    case 'uuid':
      return typeof literal === 'string' && UUID.test(literal.toLowerCase()) ? literal.toLowerCase() : undefined
    case 'boolean':
      return typeof literal === 'boolean' ? literal : undefined
    case 'int32':
      return integer(literal, INT32)
    case 'int64':
      return integer(literal, INT64)
    case 'decimal':
      return decimal(literal, type.precision, type.scale)
    case 'numeric':
      return numberText(literal)
    case 'double': {
      const text = numberText(literal)
      return text === undefined ? undefined : Number(text)
    }
    case 'date':
      return date(literal)
    default:
      return undefined
  }
}

/** The digits as they were written; a number beyond 2^53 has lost some, and has to be a text. */
function numberText(literal: Literal): string | undefined {
  if (typeof literal === 'number' && Number.isInteger(literal) && !Number.isSafeInteger(literal)) return undefined
  const text = typeof literal === 'boolean' ? '' : String(literal)
  return NUMBER.test(text) ? text : undefined
}

function integer(literal: Literal, { min, max }: { readonly min: bigint; readonly max: bigint }): bigint | undefined {
  const text = numberText(literal)
  if (text === undefined || text.includes('.')) return undefined
  const value = BigInt(text)
  return value >= min && value <= max ? value : undefined
}

function decimal(literal: Literal, precision: number, scale: number): string | undefined {
  const match = /^(-?)0*(\d*?)(?:\.(\d+?)0*)?$/.exec(numberText(literal) ?? 'none')
  if (match === null) return undefined
  const [, sign, whole, digits = ''] = match as unknown as [string, string, string, string?]
  const after = digits === '0' ? '' : digits
  if (after.length > scale || whole.length > precision - scale) return undefined
  const text = `${whole || '0'}${scale > 0 ? `.${after.padEnd(scale, '0')}` : ''}`
  return /[1-9]/.test(text) ? sign + text : text
}

function date(literal: Literal): number | undefined {
  if (typeof literal !== 'string' || !/^\d{4}-\d\d-\d\d$/.test(literal)) return undefined
  const ms = Date.parse(`${literal}T00:00:00Z`)
  // 2026-02-30 is read as a day of March.
  return Number.isNaN(ms) || !new Date(ms).toISOString().startsWith(literal) ? undefined : ms / 86_400_000
}
