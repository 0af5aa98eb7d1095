import type { EntityMapping, Upsert } from '../destination.ts'
import { ExactNumber, type JsonObject, writeObject } from '../exact-json.ts'
import type { Body, Member, Place, SoftDelete } from '../odata/dialect.ts'
import { filterOf, type KeyPart, keyOf, literalOf, predicateOf } from '../odata/key.ts'
import { renderValue, type ValueForms } from '../odata/values.ts'

export const DATAVERSE_FORMS: ValueForms = { dates: 'date' }

/** A row with one of these in an alternate key cannot be addressed by it ("Work with alternate keys", Unicode characters in key value). */
const UNADDRESSABLE = /[/<>*%&:\\?+]/

/** "Define custom state model transitions", default values: active is 0 and 1, inactive 1 and 2. */
const ACTIVE: readonly Member[] = [
  ['statecode', '0'],
  ['statuscode', '1'],
]
const INACTIVE: readonly Member[] = [
  ['statecode', '1'],
  ['statuscode', '2'],
]

export function softDeleteOf({ onDelete }: EntityMapping): SoftDelete | null {
  if (onDelete !== 'soft') return null
  return {
    isMarked: ({ statecode }) => statecode instanceof ExactNumber && statecode.text === '1',
    mark: INACTIVE,
    unmark: ACTIVE,
  }
}

export function findQueryOf(mapping: EntityMapping): readonly string[] {
  return [`$select=${[...mapping.keyFields, ...(mapping.onDelete === 'soft' ? ['statecode'] : [])].join(',')}`]
}

/** Little comes back of a write: its ETag comes with every representation. */
export function writeQueryOf({ keyFields }: EntityMapping, method: 'POST' | 'PATCH' | 'DELETE'): string {
  return method === 'DELETE' ? '' : `?$select=${keyFields[0]}`
}

/** @param primaryId the name of the table's primary key, where it is known */
export function placeOf(
  mapping: EntityMapping,
  key: string,
  primaryId: () => string | undefined,
): Place | Extract<Body, { ok: false }> {
  const known = keyOf(mapping, key)
  if (!known.ok) return known
  const { parts } = known
  const { target } = mapping
  const isIt = (row: JsonObject) => parts.every((part) => isPart(part, row[part.name]))
  if (!parts.some(({ text }) => UNADDRESSABLE.test(text))) {
    const address = target + predicateOf(parts)
    return {
      address,
      find: (query) => `${address}?${query.join('&')}`,
      addressOf: () => address,
      isIt,
      create: (members) => ({
        method: 'PATCH',
        path: `${address}${writeQueryOf(mapping, 'PATCH')}`,
        headers: { prefer: 'return=representation', 'if-none-match': '*' },
        // Key values are not repeated in the body: they are taken from the address.
        body: writeObject(members),
      }),
    }
  }
  return {
    address: null,
    find: (query) => `${target}?$filter=${filterOf(parts)}&${query.join('&')}`,
    addressOf: (row) => {
      const id = row[primaryId() ?? '']
      return typeof id === 'string' ? `${target}(${id})` : null
    },
    isIt,
    create: (members) => ({
      method: 'POST',
      path: `${target}${writeQueryOf(mapping, 'POST')}`,
      headers: { prefer: 'return=representation' },
      body: writeObject([...parts.map(({ name, json }): Member => [name, json]), ...members]),
    }),
  }
}

/** Dataverse compares texts without case and without blanks at the end; what it answers tells what the row really has. */
function isPart(part: KeyPart, json: JsonObject[string] | undefined): boolean {
  if (json === undefined) return true
  if (json instanceof ExactNumber) return Number(json.text) === Number(part.text)
  return json === part.text || (!part.literal.startsWith("'") && String(json).toLowerCase() === part.text.toLowerCase())
}

/** The body of a patch: changed properties, lookups bound by the other row's key ("Associate and disassociate table rows"). */
export function bodyOf(mapping: EntityMapping, fields: Upsert['fields']): Body {
  const members: Member[] = []
  for (const { to, type } of mapping.fields) {
    const value = fields[to]
    if (value === undefined || mapping.keyFields.includes(to)) continue
    const lookup = mapping.lookups[to]
    if (lookup === undefined) {
      const rendered = renderValue(type, value, DATAVERSE_FORMS)
      if (!rendered.ok) return { ...rendered, reason: `${to}: ${rendered.reason}` }
      members.push([to, rendered.json])
      continue
    }
    const bound = value === null ? null : boundRow(mapping, fields, to)
    if (bound !== null && 'ok' in bound) return bound
    members.push([`${to}@odata.bind`, bound === null ? 'null' : JSON.stringify(`/${bound.path}`)])
  }
  return { ok: true, members }
}

/** The row that a lookup names, by its key. */
export function boundRow(
  mapping: EntityMapping,
  fields: Upsert['fields'],
  to: string,
): { readonly path: string } | Extract<Body, { ok: false }> {
  const { target, keyField } = mapping.lookups[to]!
  const { type } = mapping.fields.find((field) => field.to === to)!
  const value = fields[to]
  const text = typeof value === 'string' || typeof value === 'bigint' ? String(value) : ''
  if (UNADDRESSABLE.test(text))
    return {
      ok: false,
      code: 'lookup-unaddressable',
      reason: `${to}: Dataverse cannot find a row by an alternate key with one of / < > * % & : \\ ? + in it`,
    }
  const literal = literalOf(type, text)
  if (literal === null || text === '')
    return { ok: false, code: 'value-mistyped', reason: `${to}: the value is no key of ${target}` }
  return { path: target + predicateOf([{ name: keyField, literal: literal.literal }]) }
}
