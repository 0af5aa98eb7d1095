import { TributaryError } from '../../../schemas/errors.ts'
import type { EntityMapping, Lookup, MappedField, Upsert } from '../../destination.ts'
import { type RenderingCode, renderKey, renderValue } from './render.ts'

/** The one field that objects are found by. @throws TributaryError `destination-unsuitable` when the mapping names none, or several */
export function keyFieldOf(mapping: EntityMapping): string {
  const [field, ...more] = mapping.keyFields
  if (field === undefined || more.length > 0)
    throw new TributaryError(
      'destination-unsuitable',
      `${mapping.target} needs exactly one key field: Salesforce finds objects by one external id field; a key of several parts goes into it as one text`,
    )
  return field
}

/** The mapped fields that are sent: not the external id, which stands beside them and may not be in the body twice. */
export function sentFields(mapping: EntityMapping): readonly MappedField[] {
  return mapping.fields.filter(({ to }) => !sameName(to, mapping.keyFields[0]))
}

export function sameName(one: string, other: string | undefined): boolean {
  // API names of fields and objects do not differ by case.
  return other !== undefined && one.toLowerCase() === other.toLowerCase()
}

/** Lookups by the field that holds them, without regard to case; undefined for a plain field. */
export function lookupOf(mapping: EntityMapping, field: string): Lookup | undefined {
  return Object.entries(mapping.lookups).find(([name]) => sameName(name, field))?.[1]
}

/** The name under which the referred object is written: `Account__c` → `Account__r`, `AccountId` → `Account`. {@link plan} proves it. */
export function relationshipName(field: string): string {
  return field.endsWith('__c') ? `${field.slice(0, -1)}r` : field.replace(/Id$/, '')
}

export type RenderedFields =
  /** JSON members with a comma before each, or '' for none. */
  | { readonly ok: true; readonly members: string }
  | { readonly ok: false; readonly code: RenderingCode; readonly reason: string }

/** The members of a record's body. */
export function renderFields(mapping: EntityMapping, fields: Upsert['fields']): RenderedFields {
  let members = ''
  for (const { to, type } of sentFields(mapping)) {
    const value = fields[to]
    if (value === undefined) continue
    const lookup = lookupOf(mapping, to)
    const isReference = lookup !== undefined && value !== null && value !== ''
    const written = isReference ? renderKey(value) : renderValue(type, value)
    if (!written.ok) return { ...written, reason: `${to}: ${written.reason}` }
    members += isReference
      ? `,${JSON.stringify(relationshipName(to))}:{${JSON.stringify(lookup.keyField)}:${written.json}}`
      : `,${JSON.stringify(to)}:${written.json}`
  }
  return { ok: true, members }
}

/** The targets that a patch refers to, by its lookups that are not cleared. */
export function referredTargets(mapping: EntityMapping, fields: Upsert['fields']): readonly string[] {
  return Object.entries(mapping.lookups)
    .filter(([field]) => fields[field] !== undefined && fields[field] !== null)
    .map(([, { target }]) => target)
}
