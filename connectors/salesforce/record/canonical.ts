import type { FieldType, ScalarType, Value } from '../../../schemas/field-type.ts'
import { ExactNumber, type Json } from '../../exact-json.ts'

/** The canonical form of what Salesforce answers for a field; null too where it is not of that type. */
export function canonicalValue(type: FieldType, value: Json): Value {
  if (value === null) return null
  if (type.kind !== 'array') return canonicalScalar(type, value)
  return typeof value === 'string' ? value.split(';').map((chosen) => canonicalScalar(type.of, chosen)) : null
}

function canonicalScalar(type: ScalarType, value: Json): Value {
  switch (type.kind) {
    case 'string':
    case 'enum':
    case 'uuid':
    case 'json':
      return typeof value === 'string' ? value : null
    case 'boolean':
      return typeof value === 'boolean' ? value : null
    case 'int32':
    case 'int64': {
      const plain = plainNumber(value)?.replace(/\.0*$/, '')
      return plain !== undefined && /^-?\d+$/.test(plain) ? BigInt(plain) : null
    }
    case 'decimal': {
      const plain = plainNumber(value)
      return plain === undefined ? null : withScale(plain, type.scale)
    }
    case 'numeric':
      return plainNumber(value) ?? null
    case 'double':
      return value instanceof ExactNumber ? Number(value.text) : null
    case 'date': {
      const ms = typeof value === 'string' ? Date.parse(`${value}T00:00:00Z`) : Number.NaN
      return Number.isNaN(ms) ? null : ms / 86_400_000
    }
    case 'time': {
      const ms = typeof value === 'string' ? Date.parse(`1970-01-01T${value}`) : Number.NaN
      return Number.isNaN(ms) ? null : BigInt(ms) * 1000n
    }
    case 'timestamp':
    case 'timestamptz': {
      // It writes `+0000`, which ECMAScript's date format does not have.
      const ms = typeof value === 'string' ? Date.parse(value.replace(/([+-]\d\d)(\d\d)$/, '$1:$2')) : Number.NaN
      return Number.isNaN(ms) ? null : BigInt(ms) * 1000n
    }
    case 'bytes':
      return typeof value === 'string' ? Buffer.from(value, 'base64') : null
  }
}

/** The most digits that an exponent may make of a number. */
const EXPONENT_MAX = 400

/** A JSON number without its exponent. */
function plainNumber(value: Json): string | undefined {
  if (!(value instanceof ExactNumber)) return undefined
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(value.text)
  if (!match) return undefined
  const [, sign = '', whole = '', fraction = '', exponentText = '0'] = match
  const exponent = Number(exponentText)
  if (Math.abs(exponent) > EXPONENT_MAX) return undefined
  if (exponent === 0) return value.text.replace(/[eE].*$/, '')
  const digits = whole + fraction
  const point = whole.length + exponent
  const padded = point <= 0 ? '0'.repeat(1 - point) + digits : digits.padEnd(point, '0')
  const at = Math.max(point, 1)
  const rest = padded.slice(at)
  return `${sign}${padded.slice(0, at).replace(/^0+(?=\d)/, '')}${rest === '' ? '' : `.${rest}`}`
}

/** With exactly so many digits after the point; null where it has more of them that are not zero. */
function withScale(plain: string, scale: number): string | null {
  const [whole = '0', fraction = ''] = plain.split('.')
  if (/[^0]/.test(fraction.slice(scale))) return null
  const written = scale === 0 ? whole : `${whole}.${fraction.slice(0, scale).padEnd(scale, '0')}`
  return /[1-9]/.test(written) ? written : written.replace('-', '')
}
