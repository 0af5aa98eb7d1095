import type { EntityMapping, Patch } from '../../connectors/destination.ts'
import type { FieldType, Value } from '../../schemas/field-type.ts'
import { MASK } from '../demo/view/value-text.ts'

export interface MaskedPatch {
  readonly patch: Patch
  /** Destination fields that stand there with other values than would be sent. */
  readonly masked: readonly string[]
  /** Destination fields that are left out, because their type has no value that hides another. */
  readonly leftOut: readonly string[]
}

/** A patch without data about people: before it is made a request of, as values can stand anywhere in that. Pure. */
export function maskPatch(mapping: EntityMapping, patch: Patch): MaskedPatch {
  if (patch.kind === 'delete') return { patch, masked: [], leftOut: [] }
  const personal = new Set(mapping.entity.fields.flatMap(({ name, personal }) => (personal ? [name] : [])))
  const masked: string[] = []
  const leftOut: string[] = []
  const fields: Record<string, Value> = {}
  for (const { to, from, type } of mapping.fields) {
    const value = patch.fields[to]
    if (value === undefined) continue
    const isShown = value === null || !from.some((name) => personal.has(name))
    const mask = isShown ? value : maskOf(type)
    if (mask === undefined) leftOut.push(to)
    else fields[to] = mask
    if (!isShown && mask !== undefined) masked.push(to)
  }
  return { patch: { ...patch, fields }, masked, leftOut }
}

function maskOf({ kind }: FieldType): Value | undefined {
  if (kind === 'string') return MASK
  if (kind === 'json') return JSON.stringify(MASK)
  return kind === 'array' ? [] : undefined
}
