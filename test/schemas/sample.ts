import fc from 'fast-check'
import type { Claim, Delta, Provenance } from '../../schemas/delta.ts'
import type { Entity } from '../../schemas/entity.ts'
import { type FieldType, parseFieldType, type ScalarType, type Value } from '../../schemas/field-type.ts'
import type { Version } from '../../schemas/version.ts'

export const INT64_MAX = 2n ** 63n - 1n
export const INT64_MIN = -(2n ** 63n)

/** An entity from field names and declared types; its key is the first field. */
export function entityOf(name: string, fields: Readonly<Record<string, string>>): Entity {
  return {
    name,
    key: [Object.keys(fields)[0]!],
    fields: Object.entries(fields).map(([field, type]) => ({
      name: field,
      type: parseFieldType(type),
      personal: false,
    })),
    class: 'standard',
    owner: 'sales',
    freshnessSeconds: 60,
  }
}

/** A delta with nothing remarkable but what is given. */
export function deltaOf(entity: string, after: Delta['after'], parts: Partial<Delta> = {}): Delta {
  return {
    op: 'update',
    entity,
    key: '1',
    version: { epoch: 1n, position: 23_456_789n, ordinal: 0 },
    changed: null,
    after,
    source: {
      system: 'postgres',
      instance: 'erp',
      object: 'public.orders',
      position: '0/16B3748',
      transaction: null,
      committedAt: 1_763_785_000_000_000n,
      capturedAt: 1_763_785_000_000_123n,
    },
    origin: null,
    claims: {},
    ...parts,
  }
}

export const SCALARS = [
  'string',
  'boolean',
  'int32',
  'int64',
  'decimal(12,2)',
  'decimal(5,5)',
  'decimal(60,0)',
  'decimal(1,0)',
  'numeric',
  'double',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'uuid',
  'bytes',
  'json',
  'enum(open,paid)',
] as const

const text = fc.string({ unit: 'binary', maxLength: 60 })
const int64 = fc.oneof(
  fc.bigInt({ min: INT64_MIN, max: INT64_MAX }),
  fc.bigInt({ min: -1000n, max: 1000n }),
  // Around the powers of two, where number and bigint paths meet.
  fc
    .tuple(fc.integer({ min: 0, max: 63 }), fc.integer({ min: -3, max: 3 }), fc.boolean())
    .map(([power, offset, negative]) => {
      const value = (negative ? -1n : 1n) * 2n ** BigInt(power) + BigInt(offset)
      return value > INT64_MAX ? INT64_MAX : value < INT64_MIN ? INT64_MIN : value
    }),
)

function scalarValue(type: ScalarType): fc.Arbitrary<Value> {
  switch (type.kind) {
    case 'string':
      return text
    case 'boolean':
      return fc.boolean()
    case 'int32':
      return fc.bigInt({ min: -(2n ** 31n), max: 2n ** 31n - 1n })
    case 'int64':
    case 'timestamp':
    case 'timestamptz':
      return int64
    case 'decimal':
      return fc
        .tuple(fc.integer({ min: 1, max: type.precision }), fc.boolean())
        .chain(([digits, negative]) =>
          fc.bigInt({ min: 0n, max: 10n ** BigInt(digits) - 1n }).map((value) => (negative ? -value : value)),
        )
        .map((unscaled) => decimalText(unscaled, type.scale))
    case 'numeric':
      return fc.constantFrom('0', '-1.50', '12345678901234567890.123456789', 'NaN', 'Infinity', '-Infinity', '1e400')
    case 'double':
      return fc.double()
    case 'date':
      return fc.integer({ min: -2_147_483_648, max: 2_147_483_647 })
    case 'time':
      return fc.bigInt({ min: 0n, max: 86_400_000_000n })
    case 'uuid':
      return fc.uuid()
    case 'bytes':
      return fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes))
    case 'json':
      return fc.json()
    case 'enum':
      return fc.constantFrom(...type.symbols)
  }
}

/** The canonical text of a decimal, written apart from the code under test. */
function decimalText(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
  const whole = digits.slice(0, digits.length - scale)
  const fraction = digits.slice(digits.length - scale)
  return `${unscaled < 0n ? '-' : ''}${whole}${scale === 0 ? '' : `.${fraction}`}`
}

function valuesOf(type: FieldType): fc.Arbitrary<Value> {
  const value =
    type.kind === 'array' ? fc.array(fc.option(scalarValue(type.of), { freq: 4 }), { maxLength: 5 }) : scalarValue(type)
  return fc.option<Value>(value, { freq: 6 })
}

export const versions: fc.Arbitrary<Version> = fc.record(
  {
    epoch: fc.oneof(fc.bigInt({ min: 1n, max: 9n }), fc.bigInt({ min: 1n, max: INT64_MAX })),
    position: fc.bigInt({ min: 0n, max: INT64_MAX }),
    ordinal: fc.integer({ min: -1, max: 2_147_483_647 }),
  },
  { noNullPrototype: true },
)

export const provenances: fc.Arbitrary<Provenance> = fc.record(
  {
    system: text,
    instance: text,
    object: text,
    position: text,
    transaction: fc.option(text),
    committedAt: int64,
    capturedAt: int64,
  },
  { noNullPrototype: true },
)

const claims: fc.Arbitrary<Claim> = fc.record(
  {
    uri: text,
    sha256: text,
    bytes: fc.bigInt({ min: 0n, max: INT64_MAX }),
  },
  { noNullPrototype: true },
)

/** Any entity of up to ten fields, with a delta of it. */
export const deltas: fc.Arbitrary<{ readonly entity: Entity; readonly delta: Delta }> = fc
  .array(fc.tuple(fc.constantFrom(...SCALARS), fc.boolean()), { minLength: 1, maxLength: 10 })
  .chain((types) => {
    const entity = entityOf(
      'order',
      Object.fromEntries(types.map(([type, array], index) => [`field-${index}`, array ? `${type}[]` : type])),
    )
    const values = Object.fromEntries(entity.fields.map(({ name, type }) => [name, valuesOf(type)]))
    return fc
      .record({
        op: fc.constantFrom('create' as const, 'update' as const, 'snapshot' as const),
        key: text,
        version: versions,
        changed: fc.option(fc.array(text, { maxLength: 4 })),
        after: fc.record(values, { noNullPrototype: true }),
        source: provenances,
        origin: fc.option(text),
        claims: fc.dictionary(fc.constantFrom(...entity.fields.map(({ name }) => name)), claims, {
          maxKeys: 2,
          noNullPrototype: true,
        }),
      })
      .map((parts) => {
        const after = { ...parts.after }
        for (const name of Object.keys(parts.claims)) delete after[name]
        return { entity, delta: { entity: 'order', ...parts, after } }
      })
  })
