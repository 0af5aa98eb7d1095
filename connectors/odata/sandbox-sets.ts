import { type EdmType, isOfType, type Literal, type Stored, type StoredRow, textOf } from './sandbox-rules.ts'

/** One entity set of a sandbox. */
export interface SandboxSet {
  readonly name: string
  readonly typeName: string
  readonly key: readonly string[]
  readonly properties: Readonly<Record<string, SandboxProperty>>
}

export interface SandboxProperty {
  readonly type: EdmType
  readonly maxLength?: number
  readonly readOnly?: boolean
  /** It is to hold the value of a property of another set. */
  readonly refersTo?: { readonly set: string; readonly property: string }
}

export interface SetRow {
  readonly id: string
  version: number
  readonly values: StoredRow
}

export interface StoredSet {
  readonly set: SandboxSet
  readonly rows: Map<string, SetRow>
}

export const SET_ROWS_MAX = 200_000

/** What is wrong with a property of a body; undefined where nothing is. */
export type Fault =
  | { readonly kind: 'undeclared' | 'mistyped' | 'read-only' | 'too-long'; readonly property: string }
  | { readonly kind: 'reference-missing'; readonly property: string; readonly set: string }

export function faultOf({ set }: StoredSet, body: StoredRow, sets: ReadonlyMap<string, StoredSet>): Fault | undefined {
  for (const [property, value] of Object.entries(body)) {
    if (property.includes('@')) continue
    const declared = set.properties[property]
    if (declared === undefined) return { kind: 'undeclared', property }
    if (declared.readOnly) return { kind: 'read-only', property }
    if (value !== null && !isOfType(declared.type, value)) return { kind: 'mistyped', property }
    if (declared.maxLength !== undefined && textOf(value).length > declared.maxLength)
      return { kind: 'too-long', property }
    const { refersTo } = declared
    if (refersTo && textOf(value) !== '') {
      const rows = sets.get(refersTo.set)?.rows.values() ?? []
      if (![...rows].some((row) => textOf(row.values[refersTo.property]) === textOf(value)))
        return { kind: 'reference-missing', property, set: refersTo.set }
    }
  }
  return undefined
}

/** The rows that hold these values. */
export function rowsWith({ rows }: StoredSet, wanted: ReadonlyMap<string, Literal>, fold: boolean): SetRow[] {
  const form = (text: string) => (fold ? text.toUpperCase() : text)
  return [...rows.values()].filter(({ values }) =>
    [...wanted].every(([name, { text }]) => form(textOf(values[name])) === form(text)),
  )
}

export function shownOf({ set }: StoredSet, row: SetRow, etag: string, query: URLSearchParams): StoredRow | null {
  const select = query.get('$select')?.split(',') ?? Object.keys(set.properties)
  if (select.some((name) => set.properties[name] === undefined)) return null
  const picked = select.map((name): [string, Stored] => [name, row.values[name] ?? null])
  return { '@odata.etag': etag, ...Object.fromEntries(picked) }
}

/** The metadata document (OData-CSDL-XML 4.0). */
export function edmxOf(sets: Iterable<SandboxSet>, namespace: string): string {
  const all = [...sets]
  const types = all.map(
    ({ typeName, key, properties }) =>
      `<EntityType Name="${typeName}"><Key>${key.map((name) => `<PropertyRef Name="${name}"/>`).join('')}</Key>${Object.entries(
        properties,
      )
        .map(([name, { type }]) => `<Property Name="${name}" Type="${type}"/>`)
        .join('')}</EntityType>`,
  )
  const container = all.map(({ name, typeName }) => `<EntitySet Name="${name}" EntityType="${namespace}.${typeName}"/>`)
  return `<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx"><edmx:DataServices><Schema Namespace="${namespace}" xmlns="http://docs.oasis-open.org/odata/ns/edm">${types.join('')}<EntityContainer Name="Resources">${container.join('')}</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>`
}

/** Told to refuse this record, by any text in it. */
export function isTold(values: StoredRow, rejects: (key: string) => boolean): boolean {
  return Object.values(values).some((value) => typeof value === 'string' && rejects(value))
}
