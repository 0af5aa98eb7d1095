import { AlteredTable } from '../altered-table.ts'
import { type LocatedTable, objectName } from '../captured-table.ts'
import type { Sql } from '../connection.ts'
import { failure } from '../failure.ts'
import type { Notice, OnNotice } from '../notice.ts'
import { madeAnew } from './recheck.ts'

const LOOK_EVERY_MS = 15_000

export interface TableWatchOptions {
  readonly sql: Sql
  readonly source: string
  readonly publication: string
  readonly tables: readonly LocatedTable[]
  readonly onNotice: OnNotice
  /** A table has left the log. */
  readonly onLeft: (altered: AlteredTable) => void
  readonly everyMs?: number
}

export interface TableWatch {
  close(): void
}

/**
 * Looks now and then whether the captured tables are still in the log: one that was made anew, or taken out of the publication, falls silent
 * without a word there. A look that fails is told as a notice, once until one succeeds again.
 */
export function watchTables(options: TableWatchOptions): TableWatch {
  const told = new Set<string>()
  let looking = false
  let failing = false
  const look = async () => {
    const found = await loadStandings(options)
    for (const { entity, standing } of found) {
      const table = options.tables.find((one) => one.entity.name === entity)!
      const name = objectName(table.table)
      if (standing === 'anew') options.onLeft(new AlteredTable(entity, madeAnew(name)))
      else if (standing === 'unpublished')
        options.onLeft(
          new AlteredTable(entity, `table ${name} was taken out of the publication, so its changes are not in the log`),
        )
      else if (standing === 'missing' && !told.has(entity)) {
        told.add(entity)
        options.onNotice({
          code: 'table-missing',
          level: 'warn',
          message:
            `source "${options.source}": table ${name} was dropped or renamed. What was captured of it stays; the other tables go on. ` +
            `Correct the table of entity ${entity}, or take the entity out of the declaration, before the next start`,
        })
      }
    }
  }
  const timer = setInterval(() => {
    if (looking) return
    looking = true
    look()
      .then(
        () => {
          failing = false
        },
        (error: unknown) => {
          if (!failing) options.onNotice(unwatched(options.source, error))
          failing = true
        },
      )
      .finally(() => {
        looking = false
      })
  }, options.everyMs ?? LOOK_EVERY_MS)
  timer.unref()
  return { close: () => clearInterval(timer) }
}

function unwatched(source: string, error: unknown): Notice {
  const { message } = failure('looking whether the captured tables are still published', error)
  return {
    code: 'tables-unwatched',
    level: 'warn',
    message: `source "${source}": a table that leaves the log would not be noticed for now. ${message}`,
  }
}

interface Standing {
  readonly entity: string
  readonly standing: 'there' | 'anew' | 'unpublished' | 'missing'
}

async function loadStandings({ sql, publication, tables }: TableWatchOptions): Promise<readonly Standing[]> {
  const wanted = JSON.stringify(
    tables.map(({ entity, table, oid }) => ({ entity: entity.name, schema: table.schema, name: table.name, oid })),
  )
  return await sql<Standing[]>`
    SELECT w.entity, CASE WHEN c.oid IS NULL THEN 'missing' WHEN c.oid <> w.oid THEN 'anew'
      WHEN p.tablename IS NULL THEN 'unpublished' ELSE 'there' END AS standing
    FROM json_to_recordset(${wanted}::text::json) AS w (entity text, schema text, name text, oid oid)
      LEFT JOIN pg_namespace n ON n.nspname = w.schema
      LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
      LEFT JOIN pg_publication_tables p ON p.pubname = ${publication} AND p.schemaname = w.schema AND p.tablename = w.name`
}
