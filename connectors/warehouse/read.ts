import { TributaryError } from '../../schemas/errors.ts'
import type { Value } from '../../schemas/field-type.ts'
import { readerFor, Unencodable } from '../postgres/values.ts'
import { textLiteral } from './literals.ts'
import type { Session } from './session.ts'
import { type Column, DELETED_AT_COLUMN, KEY_COLUMN, quoteIdentifier } from './sql-names.ts'
import type { Table } from './tables.ts'

const KEY = quoteIdentifier(KEY_COLUMN)

/** The most keys that are asked for at once; a key has at most 2,700 bytes, as it stands in an index. */
const PAGE_KEYS = 5_000

/**
 * The mapped columns of a live row, in canonical form; null where there is none. `json` is the document as `jsonb` writes it.
 * @throws TributaryError `destination-unsuitable` when a column holds what its declared type cannot; what the session throws
 */
export async function readRow(
  session: Session,
  table: Table,
  key: string,
): Promise<Readonly<Record<string, Value>> | null> {
  // What cannot be stored is not there.
  if (!textLiteral(key).ok) return null
  const columns = table.columns.map(({ name }) => `, t.${quoteIdentifier(name)}::text`).join('')
  const text = `SELECT t.${KEY}${columns} FROM ${table.name} AS t WHERE t.${KEY} = $1::text${alive(table)}`
  const [row] = await session.query(text, [key], false)
  if (row === undefined) return null
  return Object.fromEntries(
    table.columns.map((column, at) => [column.name, canonical(table.target, column, row[at + 1]!)]),
  )
}

/** The session's settings make the text the one form that the reader knows. */
function canonical(target: string, { name, type }: Column, text: string | null): Value {
  if (text === null) return null
  const bytes = Buffer.from(text)
  try {
    return readerFor(type)(bytes, 0, bytes.length)
  } catch (error) {
    if (!(error instanceof Unencodable)) throw error
    throw new TributaryError(
      'destination-unsuitable',
      `the warehouse's column ${target}.${name} cannot be read as its declared type: ${error.message}; see who writes to it`,
      { cause: error },
    )
  }
}

/**
 * The next keys of live rows after one, or the first, in the order of their bytes: each page is found by the primary key, however many
 * there are before it.
 */
export async function readKeys(session: Session, table: Table, after: string | null): Promise<readonly string[]> {
  const text = `SELECT t.${KEY} FROM ${table.name} AS t WHERE ${after === null ? 'true' : `t.${KEY} > $1::text COLLATE "C"`}${alive(table)}
    ORDER BY t.${KEY} LIMIT ${PAGE_KEYS}`
  const rows = await session.query(text, after === null ? [] : [after], true)
  return rows.map(([key]) => key!)
}

function alive({ marksRows }: Table): string {
  return marksRows ? ` AND t.${quoteIdentifier(DELETED_AT_COLUMN)} IS NULL` : ''
}
