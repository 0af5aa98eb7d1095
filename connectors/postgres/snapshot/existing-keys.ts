import { systemCode } from '../../../schemas/errors.ts'
import { formatKey, parseKey } from '../../../schemas/key.ts'
import { joinArray } from '../array-literal.ts'
import type { LocatedTable } from '../captured-table.ts'
import { quoteName, quoteText } from '../connection.ts'
import { fromTable } from '../row-plan.ts'
import type { SnapshotSession } from './session.ts'

const SAVEPOINT = 'tributary_keys'

/**
 * Which of `keys` the table has, in the session's transaction. A key that is no value of the key's columns, such as one of before their
 * type was changed, or that is no text which PostgreSQL can hold, is not in the table.
 */
export async function existingKeys(
  session: SnapshotSession,
  table: LocatedTable,
  keys: readonly string[],
): Promise<ReadonlySet<string>> {
  const found = new Set<string>()
  const ask = async (some: readonly string[]): Promise<void> => {
    await session.query(`SAVEPOINT ${SAVEPOINT}`)
    try {
      for (const row of await session.query(statement(table, some)))
        found.add(formatKey(row.map((part) => part!.toString('utf8'))))
    } catch (error) {
      if (!isBadValue(error)) throw error
      await session.query(`ROLLBACK TO SAVEPOINT ${SAVEPOINT}`)
      if (some.length === 1) return
      const middle = some.length >> 1
      await ask(some.slice(0, middle))
      await ask(some.slice(middle))
      return
    }
    await session.query(`RELEASE SAVEPOINT ${SAVEPOINT}`)
  }
  const readable = keys.filter((key) => {
    const parts = parseKey(key, table.entity.key.length)
    // Raw in a statement, a zero byte would end it: the server would refuse the message itself (08P01), at each try.
    return parts?.every((part) => !part.includes('\0') && part.isWellFormed())
  })
  if (readable.length > 0) await ask(readable)
  return found
}

function statement(table: LocatedTable, keys: readonly string[]): string {
  const { key } = table.entity
  const parts = keys.map((one) => parseKey(one, key.length)!)
  const column = (field: string) => `t.${quoteName(table.columns[field]!)}`
  const arrays = key.map((_, part) => `${quoteText(joinArray(parts.map((one) => one[part]!)))}::text[]`)
  const names = key.map((_, part) => `p${part}`)
  const matches = key.map((field, part) => `${column(field)} = k.p${part}::${table.typeNames[field]!}`)
  return (
    `SELECT ${key.map(column).join(', ')} FROM unnest(${arrays.join(', ')}) AS k(${names.join(', ')}) ` +
    `JOIN ${fromTable(table)} t ON ${matches.join(' AND ')}`
  )
}

/** Class 22: a value that a cast refuses. */
function isBadValue(error: unknown): boolean {
  return error instanceof Error && systemCode(error.cause)?.startsWith('22') === true
}
