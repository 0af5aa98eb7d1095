import type { FieldType } from '../../schemas/field-type.ts'
import type { EntityMapping, Upsert } from '../destination.ts'
import { ExactNumber, type JsonObject } from '../exact-json.ts'
import type { Body, Member } from './dialect.ts'
import type { KeyPart } from './key.ts'
import { renderValue, type ValueForms } from './values.ts'

/** What a system without nulls keeps instead of a date. Its texts are empty then, and its numbers 0. */
export interface Blanks {
  readonly date: string
  readonly instant: string
}

const NUMBERS: ReadonlySet<FieldType['kind']> = new Set(['int32', 'int64', 'decimal', 'numeric', 'double'])

function blankOf({ kind }: FieldType, { date, instant }: Blanks): string {
  if (NUMBERS.has(kind)) return '0'
  if (kind === 'boolean') return 'false'
  if (kind === 'date') return JSON.stringify(date)
  return JSON.stringify(kind === 'timestamp' || kind === 'timestamptz' ? instant : '')
}

/** The inverse: an empty text or a blank date is a null. A 0 stays one: it cannot be told apart. */
export function unblanked(
  json: JsonObject[string] | undefined,
  { date, instant }: Blanks,
): JsonObject[string] | undefined {
  return json === '' || json === date || json === instant ? null : json
}

/** The body of a patch where every field is a property: the changed ones, without the key. */
export function plainBody(mapping: EntityMapping, fields: Upsert['fields'], forms: ValueForms, blanks: Blanks): Body {
  const members: Member[] = []
  for (const { to, type } of mapping.fields) {
    const value = fields[to]
    if (value === undefined || mapping.keyFields.includes(to)) continue
    if (value === null) {
      members.push([to, blankOf(type, blanks)])
      continue
    }
    const rendered = renderValue(type, value, forms)
    if (!rendered.ok) return { ...rendered, reason: `${to}: ${rendered.reason}` }
    members.push([to, rendered.json])
  }
  return { ok: true, members }
}

/** Whether a row has this value in a key field, to the letter: systems that compare loosely answer with what they really hold. */
export function holdsPart(part: KeyPart, json: JsonObject[string] | undefined): boolean {
  if (json === undefined) return true
  if (json instanceof ExactNumber) return Number(json.text) === Number(part.text)
  const isText = part.literal.startsWith("'")
  return json === part.text || (!isText && String(json).toLowerCase().startsWith(part.text.toLowerCase()))
}

/** The target that a patch refers to, where it refers to one alone; '' where that cannot be told. */
export function onlyReference(mapping: EntityMapping, fields: Upsert['fields']): string {
  const named = Object.keys(mapping.lookups).filter((to) => fields[to] !== undefined && fields[to] !== null)
  const targets = new Set(named.map((to) => mapping.lookups[to]!.target))
  return targets.size === 1 ? [...targets][0]! : ''
}
