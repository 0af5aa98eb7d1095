import type { LocatedTable } from '../captured-table.ts'
import type { Sql } from '../connection.ts'

/** The first release whose publications can be for all tables of a schema. */
const SCHEMAS_VERSION = 150_000

/** Entity → how its table is published, as text that changes with every change of that. */
export type Publishing = ReadonlyMap<string, string>

/**
 * How each table is published: by which publication and which version of its row, and by which memberships of the table, the tables that it
 * is a partition of, and its schema. Names no values but the catalogue's own ids, as what was changed and changed back shows in those alone:
 * a table that left and came back, or that got another filter or column list, has another membership; what is published of all tables
 * is set in the publication's row, which tables that are added to it do not touch. A physical copy of the server has the same ids.
 * @returns nothing for any table while there is no such publication
 */
export async function loadPublishing(
  sql: Sql,
  serverVersion: number,
  publication: string,
  tables: readonly LocatedTable[],
): Promise<Publishing> {
  const wanted = JSON.stringify(tables.map(({ entity, oid }) => ({ entity: entity.name, oid })))
  const schemas =
    serverVersion < SCHEMAS_VERSION
      ? sql``
      : sql`UNION ALL SELECT 's' || s.oid FROM pg_publication_namespace s WHERE s.pnpubid = p.oid AND s.pnnspid IN (
          SELECT c.relnamespace FROM pg_class c WHERE c.oid IN (SELECT oid FROM related))`
  const rows = await sql<{ entity: string; publishing: string }[]>`
    SELECT w.entity, p.oid || '@' || p.xmin || ':' || (
      WITH related (oid) AS (SELECT w.oid UNION SELECT relid::oid FROM pg_partition_ancestors(w.oid) AS relid)
      SELECT coalesce(string_agg(id, ',' ORDER BY id), '') FROM (
        SELECT 't' || r.oid FROM pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid IN (SELECT oid FROM related)
        ${schemas}) AS memberships (id)) AS publishing
    FROM json_to_recordset(${wanted}::text::json) AS w (entity text, oid oid), pg_publication p
    WHERE p.pubname = ${publication}`
  return new Map(rows.map(({ entity, publishing }) => [entity, publishing]))
}
