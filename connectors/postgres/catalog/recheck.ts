import { AlteredTable } from '../altered-table.ts'
import { type LocatedTable, objectName } from '../captured-table.ts'
import { quoteName, type Sql } from '../connection.ts'
import type { OnNotice } from '../notice.ts'
import { loadTable, loadTypes, type TableFacts } from './catalog.ts'
import { misfit, type Types } from './column-fit.ts'
import { inspectKey } from './inspect.ts'
import { type ColumnPlace, placeOf } from './place.ts'

/**
 * Looks at a captured table again, when the log describes it: a column that was dropped and added again, and a partition that came later,
 * do not show in the log itself. Costs a query for each description: once a connection and after each change of the table.
 * @throws AlteredTable
 */
export async function recheck(sql: Sql, table: LocatedTable, known: Types, onNotice: OnNotice): Promise<void> {
  const facts = await loadTable(sql, table.table.schema, table.table.name)
  // Renamed or dropped since: the log says so at its place, if it has rows after it.
  if (facts === undefined) return
  const types = await loadTypes(
    sql,
    facts.columns.map((column) => column.typeOid),
    known,
  )
  const altered = whatAltered(table, facts, types)
  if (altered !== undefined) throw new AlteredTable([table.entity.name], altered)
  for (const { table: name } of facts.identities.filter((identity) => isSilent(identity)))
    onNotice({
      code: 'replica-identity-nothing',
      message:
        `the replica identity of ${name} is empty: the server refuses every UPDATE and DELETE of its rows while it is published. ` +
        `Run: ALTER TABLE ${name} REPLICA IDENTITY FULL`,
    })
}

/** What makes a table other than it was when capture started, in words; undefined for nothing that matters. Pure. */
export function whatAltered(table: LocatedTable, facts: TableFacts, types: Types): string | undefined {
  const name = objectName(table.table)
  if (facts.oid !== table.oid) return madeAnew(name)
  const moved = whatMoved(table, facts, types)
  if (moved !== undefined) return moved
  const columns = new Map(facts.columns.map((column) => [column.name, column]))
  // The log tells a table's own identity at its place, not those of partitions. Without one no update or delete passes the server.
  const identities = table.partitioned ? facts.identities.filter((identity) => !isSilent(identity)) : []
  return inspectKey(table, { ...facts, identities }, columns, sqlName(table))[0]
}

/** Which declared column is not the one that it was, in words. Pure. */
export function whatMoved(
  table: LocatedTable,
  facts: { readonly oid: number; readonly columns: readonly (ColumnPlace & { readonly name: string })[] },
  types: Types,
): string | undefined {
  const name = objectName(table.table)
  const columns = new Map(facts.columns.map((column) => [column.name, column]))
  for (const field of table.entity.fields) {
    const column = columns.get(table.columns[field.name]!)
    // One that is gone or does not fit, the log still has as it was until it says otherwise.
    if (column === undefined || misfit(field.type, column.typeOid, types) !== undefined) continue
    if (placeOf(facts.oid, column, types) === table.places[field.name]) continue
    return (
      `column ${name}.${column.name}, which field ${field.name} is read from, was made anew or altered to another type: rows may hold ` +
      'other values without a change in the log'
    )
  }
  return undefined
}

/** What is said of a table whose name is there with another oid. */
export function madeAnew(name: string): string {
  return `table ${name} was dropped and made anew, so the log does not hold the deletes of its rows`
}

function isSilent(identity: TableFacts['identities'][number]): boolean {
  return identity.kind !== 'f' && identity.columns.length === 0
}

function sqlName({ table }: LocatedTable): string {
  return `${quoteName(table.schema)}.${quoteName(table.name)}`
}
