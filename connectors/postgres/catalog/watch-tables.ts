import { AlteredTable } from '../altered-table.ts'
import { type LocatedTable, objectName } from '../captured-table.ts'
import type { Sql } from '../connection.ts'
import { failure } from '../failure.ts'
import type { Notice, OnNotice } from '../notice.ts'
import { loadTypes } from './catalog.ts'
import type { Types } from './column-fit.ts'
import type { ColumnPlace } from './place.ts'
import { loadPublishing, type Publishing } from './publishing.ts'
import { madeAnew, whatMoved } from './recheck.ts'

const LOOK_EVERY_MS = 15_000

export interface TableWatchOptions {
  readonly sql: Sql
  readonly source: string
  readonly publication: string
  readonly serverVersion: number
  readonly tables: readonly LocatedTable[]
  readonly types: Types
  /** How the tables were published when capture started. */
  readonly publishing: Publishing
  readonly onNotice: OnNotice
  /** Tables have left the log, or changed beside it: all that a look finds. */
  readonly onAltered: (altered: AlteredTable) => void
  readonly everyMs?: number
}

export interface TableWatch {
  close(): void
}

/**
 * Looks now and then whether the captured tables are still in the log as they were: one that was made anew, or taken out of the publication
 * or published otherwise, for a moment even, falls silent without a word there; a column made anew changes rows without a word. A look that
 * fails is told as a notice, once until one succeeds again.
 */
export function watchTables(options: TableWatchOptions): TableWatch {
  const told = new Set<string>()
  const tables = new Map(options.tables.map((table) => [table.entity.name, table]))
  let looking = false
  let failing = false
  const look = async () => {
    const publishing = await loadPublishing(options.sql, options.serverVersion, options.publication, options.tables)
    const found = await loadStandings(options)
    const oids = found.flatMap(({ columns }) => columns.map(({ typeOid }) => typeOid))
    const types = await loadTypes(options.sql, oids, options.types)
    const altered = new Map<string, string>()
    for (const { entity, columns, standing } of found) {
      const table = tables.get(entity)!
      const name = objectName(table.table)
      if (standing !== 'missing') {
        const isRepublished = publishing.get(entity) !== options.publishing.get(entity)
        const what =
          standing === 'there' ? whatMoved(table, { oid: table.oid, columns }, types) : STANDINGS[standing](name)
        const why = what ?? (isRepublished ? republished(name) : undefined)
        if (why !== undefined) altered.set(entity, why)
      } else if (!told.has(entity)) {
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
    if (altered.size > 0) options.onAltered(alteredTables(altered))
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

/** How many of the tables a message tells about. */
const TOLD_MAX = 5

function alteredTables(altered: ReadonlyMap<string, string>): AlteredTable {
  const rest = altered.size - TOLD_MAX
  const told = [...altered.values()].slice(0, TOLD_MAX).join('; ')
  return new AlteredTable([...altered.keys()], rest > 0 ? `${told}; and ${rest} more tables like these` : told)
}

const STANDINGS = {
  anew: madeAnew,
  unpublished: (name: string) => `table ${name} was taken out of the publication, so its changes are not in the log`,
} as const

function republished(name: string): string {
  return `what the publication holds of table ${name} was altered, so changes may be missing in the log`
}

interface Standing {
  readonly entity: string
  readonly columns: readonly (ColumnPlace & { readonly name: string })[]
  readonly standing: 'there' | 'anew' | 'unpublished' | 'missing'
}

async function loadStandings({ sql, publication, tables }: TableWatchOptions): Promise<readonly Standing[]> {
  const wanted = JSON.stringify(
    tables.map(({ entity, table, oid }) => ({ entity: entity.name, schema: table.schema, name: table.name, oid })),
  )
  return await sql<Standing[]>`
    SELECT w.entity, CASE WHEN c.oid IS NULL THEN 'missing' WHEN c.oid <> w.oid THEN 'anew'
      WHEN p.tablename IS NULL THEN 'unpublished' ELSE 'there' END AS standing,
      (SELECT coalesce(json_agg(json_build_object('name', a.attname, 'number', a.attnum, 'typeOid', a.atttypid::bigint,
          'typeModifier', a.atttypmod)), '[]')
        FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
    FROM json_to_recordset(${wanted}::text::json) AS w (entity text, schema text, name text, oid oid)
      LEFT JOIN pg_namespace n ON n.nspname = w.schema
      LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
      LEFT JOIN pg_publication_tables p ON p.pubname = ${publication} AND p.schemaname = w.schema AND p.tablename = w.name`
}
