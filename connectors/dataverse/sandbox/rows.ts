import { randomUUID } from 'node:crypto'
import type { SandboxAnswer } from '../../http/sandbox-server.ts'
import {
  isLiteralOf,
  isNumber,
  isOfType,
  type Literal,
  odataError,
  rawNumber,
  readPredicate,
  type Stored,
  type StoredRow,
  textOf,
} from '../../odata/sandbox-rules.ts'
import { EDM_OF, type SandboxColumn, type SandboxTable } from './tables.ts'

export interface Row {
  readonly id: string
  version: number
  readonly values: StoredRow
}

export interface StoredTable {
  readonly table: SandboxTable
  readonly rows: Map<string, Row>
  /** The values of an alternate key → the row that holds them. */
  readonly held: Map<string, Row>
}

export type Tables = ReadonlyMap<string, StoredTable>

/** The most rows of a table: a sandbox is for trying, and is bounded. */
const ROWS_MAX = 200_000

/** An answer instead of a value. */
export class Refuse extends Error {
  readonly answer: SandboxAnswer

  constructor(status: number, code: string, message: string) {
    super(message)
    this.answer = odataError(status, code, message)
  }
}

export function etagOf({ version }: Row): string {
  return `W/"${version}"`
}

/** "Work with alternate keys", Unicode characters in key value: with one of these, GET and PATCH by the key do not work. */
const UNADDRESSABLE = /[/<>*%&:\\?+]/

/** Texts are compared by the database's collation: without case, and without blanks at the end. */
function collated(value: Stored | undefined): string {
  return textOf(value).toLowerCase().trimEnd()
}

/** What an address names: a row, or the key values that one would be made with. */
export interface Addressed {
  readonly row: Row | null
  /** The id that it would be made with; null for one of the server's choice. */
  readonly id: string | null
  readonly keys: StoredRow
}

export function addressed({ table, rows, held }: StoredTable, predicate: ReadonlyMap<string, Literal>): Addressed {
  const names = [...predicate.keys()]
  const idName = names.length === 1 && (names[0] === '' || names[0] === table.primaryId) ? names[0]! : null
  if (idName !== null) {
    const literal = predicate.get(idName)!
    if (!isLiteralOf('Edm.Guid', literal)) throw new Refuse(400, '0x80060888', 'Bad Request - Error in query syntax.')
    const id = literal.text.toLowerCase()
    return { row: rows.get(id) ?? null, id, keys: {} }
  }
  const key = table.keys.find(
    ({ columns }) => columns.length === names.length && columns.every((c) => predicate.has(c)),
  )
  if (key === undefined || key.state !== 'Active')
    throw new Refuse(
      400,
      '0x80060888',
      `The key in the request URI is not valid for resource 'Microsoft.Dynamics.CRM.${table.logicalName}'. Ensure that the names and number of key properties match the declared or alternate key properties for the resource 'Microsoft.Dynamics.CRM.${table.logicalName}'.`,
    )
  const keys: StoredRow = {}
  for (const [name, literal] of predicate) {
    const type = EDM_OF[table.columns[name]!.type]
    if (!isLiteralOf(type, literal) || (literal.quoted && UNADDRESSABLE.test(literal.text)))
      throw new Refuse(400, '0x80060888', 'Bad Request - Error in query syntax.')
    keys[name] = literal.quoted ? literal.text : rawNumber(literal.text)
  }
  return { row: held.get(heldText(key.columns, keys) ?? '') ?? null, id: null, keys }
}

/** The values of an alternate key as one text; null where one of them is null, as a key does not hold then. */
function heldText(columns: readonly string[], values: StoredRow): string | null {
  const texts = columns.map((name) => collated(values[name]))
  return texts.includes('') ? null : JSON.stringify([columns, texts])
}

function heldTexts({ table }: StoredTable, values: StoredRow): readonly string[] {
  return table.keys.map(({ columns }) => heldText(columns, values)).filter((text) => text !== null)
}

/**
 * Judges the properties of a body and turns them into column values; bound lookups into ids.
 * @param keys what the address said, which the body does not say again
 */
export function columnValues(tables: Tables, { table }: StoredTable, body: StoredRow, keys: StoredRow): StoredRow {
  const values: StoredRow = {}
  for (const [name, value] of Object.entries(body)) {
    const [property = '', annotation] = name.split('@', 2)
    if (annotation === 'odata.bind') {
      const lookup = table.lookups[property]
      if (lookup === undefined) throw undeclared(table, property)
      values[lookup.column] = value === null ? null : boundId(tables, lookup.entitySet, value)
      continue
    }
    if (annotation !== undefined) continue
    const column = table.columns[property]
    if (column === undefined || column.type === 'Lookup') throw undeclared(table, property)
    if (Object.hasOwn(keys, property))
      // The vendor advises against it; the sandbox refuses, so that nobody relies on what it would do.
      throw new Refuse(400, '0x80048d19', `The key '${property}' is in the address and must not be in the payload.`)
    if (column.readOnly && property !== table.primaryId)
      throw new Refuse(400, '0x80040203', `Attribute '${property}' cannot be set.`)
    judge(table, property, column, value)
    values[property] = value
  }
  return values
}

function judge(table: SandboxTable, name: string, column: SandboxColumn, value: Stored): void {
  if (value === null) {
    // "Update a record": columns whose RequiredLevel is SystemRequired cannot be null.
    if (column.required) throw new Refuse(400, '0x80040203', `Attribute '${name}' cannot be set to NULL`)
    return
  }
  const type = EDM_OF[column.type]
  if (!isOfType(type, value))
    throw new Refuse(
      400,
      '0x80048d19',
      `Error identified in Payload provided by the user for Entity :'${table.entitySet}' ----> InnerException : Microsoft.OData.ODataException: Cannot convert the literal '${textOf(value)}' to the expected type '${type}'.`,
    )
  if (column.maxLength !== undefined && [...textOf(value)].length > column.maxLength)
    throw new Refuse(
      400,
      '0x80044331',
      `A validation error occurred. The length of the '${name}' attribute of the '${table.logicalName}' entity exceeded the maximum allowed length of '${column.maxLength}'.`,
    )
  if (column.options && isNumber(value) && !column.options.includes(Number(value.rawJSON)))
    throw new Refuse(
      400,
      '0x8004431a',
      `A validation error occurred. The value ${value.rawJSON} of '${name}' on record of type '${table.logicalName}' is outside the valid range.`,
    )
}

function undeclared(table: SandboxTable, property: string): Refuse {
  return new Refuse(
    400,
    '0x80048d19',
    `Error identified in Payload provided by the user for Entity :'${table.entitySet}' ----> InnerException : Microsoft.OData.ODataException: Invalid property '${property}' was found in entity 'Microsoft.Dynamics.CRM.${table.logicalName}'.`,
  )
}

/** The id behind `/accounts(erp_id='1')` ("Associate table rows on create"). */
function boundId(tables: Tables, entitySet: string, value: Stored): string {
  const match =
    typeof value === 'string'
      ? /^(?:https?:\/\/[^/]+)?(?:\/api\/data\/v[\d.]+)?\/?([a-z_]\w*)(\(.*\))$/s.exec(value)
      : null
  const other = match === null ? undefined : tables.get(match[1]!)
  const predicate = match === null ? null : readBound(match[2]!)
  if (other === undefined || predicate === null || match![1] !== entitySet)
    throw new Refuse(400, '0x80048d19', `URL was not parsed due to an ODataUnrecognizedPathException.`)
  const { row, id } = addressed(other, predicate)
  if (row !== null) return row.id
  const { logicalName } = other.table
  throw id !== null
    ? new Refuse(404, '0x80040217', `${logicalName} With Id = ${id} Does Not Exist`)
    : new Refuse(404, '0x80060891', `A record with the specified key values does not exist in ${logicalName} entity`)
}

function readBound(text: string): ReadonlyMap<string, Literal> | null {
  try {
    return readPredicate(decodeURIComponent(text))
  } catch {
    return null
  }
}

/** Refuses values of an alternate key that another row holds ("Work with alternate keys"). */
function refuseDuplicate({ table, held }: StoredTable, values: StoredRow, self: Row | null): void {
  for (const { columns, state } of table.keys) {
    if (state !== 'Active') continue
    const other = held.get(heldText(columns, values) ?? '')
    if (other !== undefined && other !== self)
      throw new Refuse(
        412,
        '0x80060892',
        `Entity Key ${columns.join(' ')} violated. A record with the same value for ${columns.join(', ')} already exists. A duplicate record cannot be created. Select one or more unique values and try again.`,
      )
  }
}

export function makeRow(stored: StoredTable, id: string | null, values: StoredRow, version: number): Row {
  const { table, rows, held } = stored
  if (rows.size >= ROWS_MAX)
    throw new Refuse(400, '0x80044150', `the sandbox holds at most ${ROWS_MAX} rows of a table`)
  refuseDuplicate(stored, values, null)
  const made = { statecode: rawNumber('0'), statuscode: rawNumber('1'), createdon: '2026-01-01T00:00:00Z', ...values }
  const row: Row = { id: id ?? randomUUID(), version, values: made }
  row.values[table.primaryId] = row.id
  rows.set(row.id, row)
  for (const text of heldTexts(stored, row.values)) held.set(text, row)
  return row
}

export function changeRow(stored: StoredTable, row: Row, values: StoredRow, version: number): void {
  refuseDuplicate(stored, { ...row.values, ...values }, row)
  for (const text of heldTexts(stored, row.values)) stored.held.delete(text)
  Object.assign(row.values, values)
  for (const text of heldTexts(stored, row.values)) stored.held.set(text, row)
  row.version = version
}

export function dropRow(stored: StoredTable, row: Row): void {
  for (const text of heldTexts(stored, row.values)) stored.held.delete(text)
  stored.rows.delete(row.id)
}
