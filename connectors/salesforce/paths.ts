import type { EntityMapping } from '../destination.ts'
import { keyFieldOf, lookupOf, relationshipName, sentFields } from './record/fields.ts'

/** Where things are, from the instance's address on. */
export interface Paths {
  upsertMany(mapping: EntityMapping): string
  updateMany(): string
  deleteMany(ids: readonly string[]): string
  /** Only for keys of {@link isPlainKey}. */
  updateOne(mapping: EntityMapping, key: string): string
  describe(target: string): string
  query(soql: string): string
}

export function createPaths(apiVersion: string): Paths {
  const root = `/services/data/${apiVersion}`
  return {
    upsertMany: (mapping) => `${root}/composite/sobjects/${name(mapping.target)}/${name(keyFieldOf(mapping))}`,
    updateMany: () => `${root}/composite/sobjects`,
    deleteMany: (ids) => `${root}/composite/sobjects?ids=${ids.map(name).join(',')}&allOrNone=false`,
    updateOne: (mapping, key) =>
      `${root}/sobjects/${name(mapping.target)}/${name(keyFieldOf(mapping))}/${encodeURIComponent(key)}?updateOnly=true`,
    describe: (target) => `${root}/sobjects/${name(target)}/describe`,
    query: (soql) => `${root}/query?q=${encodeURIComponent(soql)}`,
  }
}

function name(text: string): string {
  return encodeURIComponent(text)
}

/**
 * Whether a key may stand in a path as it is. What follows a dot is read as a format there (`.json`, `.inc`: "Upsert Records Using sObject
 * Rows by External ID"), `..` leads elsewhere, and proxies decode slashes: such keys travel in bodies and queries only.
 */
export function isPlainKey(key: string): boolean {
  return /^[A-Za-z0-9_-]{1,255}$/.test(key)
}

/** The length a query may have in a URL, once encoded: of the 16,384 bytes for URL and headers together, the token takes its share. */
const QUERY_CHARS_MAX = 8_000

/** Queries for the ids of objects by their keys: as many as their length asks for, in the order of the keys. */
export function idQueries(mapping: EntityMapping, keys: readonly string[]): readonly string[] {
  const field = keyFieldOf(mapping)
  const queries: string[] = []
  let list = ''
  let chars = 0
  for (const key of keys) {
    const literal = soqlText(key)
    const literalChars = encodeURIComponent(literal).length + 3
    if (list !== '' && chars + literalChars > QUERY_CHARS_MAX) {
      queries.push(idQuery(mapping.target, field, list))
      list = ''
      chars = 0
    }
    list += list === '' ? literal : `,${literal}`
    chars += literalChars
  }
  if (list !== '') queries.push(idQuery(mapping.target, field, list))
  return queries
}

function idQuery(target: string, field: string, list: string): string {
  return `SELECT Id, ${field} FROM ${target} WHERE ${field} IN (${list})`
}

export function objectQuery(mapping: EntityMapping, key: string): string {
  const field = keyFieldOf(mapping)
  const selected = sentFields(mapping).map(({ to }) => selectedName(mapping, to))
  return `SELECT ${['Id', ...selected].join(', ')} FROM ${mapping.target} WHERE ${field} = ${soqlText(key)} LIMIT 2`
}

/** What is asked for to learn a field: the key of the referred object for a lookup. */
function selectedName(mapping: EntityMapping, field: string): string {
  const lookup = lookupOf(mapping, field)
  return lookup ? `${relationshipName(field)}.${lookup.keyField}` : field
}

export function keysQuery(mapping: EntityMapping): string {
  const field = keyFieldOf(mapping)
  return `SELECT ${field} FROM ${mapping.target} WHERE ${field} != null`
}

/** A text literal ("Quoted String Escape Sequences" of SOQL). */
export function soqlText(text: string): string {
  return `'${text.replace(/[\\'"\n\r\t\b\f]|\p{Cc}/gu, (special) => ESCAPES[special] ?? unicodeEscape(special))}'`
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '"': '\\"',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\b': '\\b',
  '\f': '\\f',
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0').toUpperCase()}`
}
