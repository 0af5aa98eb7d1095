import type { Value } from '../../../schemas/field-type.ts'
import type { EntityMapping } from '../../destination.ts'
import type { Json } from '../../exact-json.ts'
import { canonicalValue } from './canonical.ts'
import { lookupOf, relationshipName, sentFields } from './fields.ts'

/** The mapped fields of an object that a query answered. */
export function readRecord(
  mapping: EntityMapping,
  record: Readonly<Record<string, Json>>,
): Readonly<Record<string, Value>> {
  const values: Record<string, Value> = {}
  for (const { to, type } of sentFields(mapping)) {
    const lookup = lookupOf(mapping, to)
    if (lookup === undefined) {
      values[to] = canonicalValue(type, record[to] ?? null)
      continue
    }
    const referred = record[relationshipName(to)]
    const key = (referred as Readonly<Record<string, Json>> | null | undefined)?.[lookup.keyField]
    const isNumber = type.kind === 'int32' || type.kind === 'int64'
    if (typeof key !== 'string') values[to] = null
    else values[to] = isNumber && /^-?\d+$/.test(key) ? BigInt(key) : key
  }
  return values
}
