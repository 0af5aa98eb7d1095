import type { Sql } from '../connection.ts'
import type { TypeFacts, Types } from './column-fit.ts'

export interface ServerFacts {
  readonly version: number
  readonly walLevel: string
  readonly encoding: string
  readonly role: string
  readonly mayReplicate: boolean
  readonly bypassesRowSecurity: boolean
  readonly database: string
}

export interface ColumnFacts {
  readonly name: string
  readonly typeOid: number
  /**
   * The type as SQL writes it, of a domain the type it is over, without length or precision: what a value's text is cast to. A
   * length would cut or round the value, and the checks of a domain need not hold for rows from before them.
   */
  readonly typeName: string
  readonly notNull: boolean
  /** pg_attribute.attgenerated: empty, s (stored) or v (virtual). */
  readonly generated: string
  /** pg_attribute.attnum. */
  readonly number: number
  /** pg_attribute.atttypmod: length, precision or scale; -1 for none. */
  readonly typeModifier: number
}

export interface TableFacts {
  readonly schema: string
  readonly name: string
  readonly oid: number
  /** pg_class.relkind: r table, p partitioned table, others are not tables. */
  readonly kind: string
  /** pg_class.relpersistence: p permanent, u unlogged, t temporary. */
  readonly persistence: string
  readonly mayRead: boolean
  readonly rowSecurity: boolean
  readonly columns: readonly ColumnFacts[]
  /**
   * The columns, in the index's order, of each index that is unique, whole, immediate and over columns only; the primary key first.
   * Unique means by the columns' own comparison: an index with a collation that tells more apart does not count.
   */
  readonly uniqueKeys: readonly (readonly string[])[]
  /** Tables that inherit from it, other than its partitions. */
  readonly heirs: readonly string[]
  /** How rows are identified in the log; of a partitioned table, each of its partitions. */
  readonly identities: readonly IdentityFacts[]
}

export interface IdentityFacts {
  readonly table: string
  /** pg_class.relreplident: d primary key, f full, i index, n nothing. */
  readonly kind: string
  /** The identity's columns; empty for full, nothing, and a missing primary key. */
  readonly columns: readonly string[]
}

export async function loadServer(sql: Sql): Promise<ServerFacts> {
  const [row] = await sql<ServerFacts[]>`
    SELECT current_setting('server_version_num')::int AS "version", current_setting('wal_level') AS "walLevel",
      current_setting('server_encoding') AS "encoding", current_user AS "role", current_database() AS "database",
      r.rolsuper OR r.rolbypassrls AS "bypassesRowSecurity",
      r.rolsuper OR r.rolreplication OR EXISTS (
        SELECT FROM pg_roles m WHERE m.rolname = 'rds_replication' AND pg_has_role(m.oid, 'MEMBER')) AS "mayReplicate"
    FROM pg_roles r WHERE r.rolname = current_user`
  return row!
}

export interface TableName {
  readonly schema: string
  readonly name: string
}

/** Hundreds of tables are asked for together: one by one, the way to the server and back is most of a start. */
const TABLES_PER_QUERY_MAX = 100

/** @returns the facts of each table in the order of `names`; undefined where there is no such table (or it cannot be seen) */
export async function loadTables(sql: Sql, names: readonly TableName[]): Promise<readonly (TableFacts | undefined)[]> {
  const found: (TableFacts | undefined)[] = []
  for (let at = 0; at < names.length; at += TABLES_PER_QUERY_MAX)
    found.push(...(await loadSome(sql, names.slice(at, at + TABLES_PER_QUERY_MAX))))
  return found
}

/** @returns undefined when there is no such table (or it cannot be seen) */
export async function loadTable(sql: Sql, schema: string, name: string): Promise<TableFacts | undefined> {
  const [facts] = await loadTables(sql, [{ schema, name }])
  return facts
}

async function loadSome(sql: Sql, names: readonly TableName[]): Promise<(TableFacts | undefined)[]> {
  const wanted = JSON.stringify(names.map(({ schema, name }) => ({ schema, name })))
  const rows = await sql<{ facts: TableFacts | null }[]>`
    SELECT CASE WHEN c.oid IS NOT NULL THEN json_build_object(
      'schema', n.nspname, 'name', c.relname, 'oid', c.oid::bigint, 'kind', c.relkind, 'persistence', c.relpersistence,
      'mayRead', has_schema_privilege(n.oid, 'USAGE') AND
        (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT')),
      'rowSecurity', c.relrowsecurity AND (c.relforcerowsecurity OR NOT pg_has_role(c.relowner, 'MEMBER')),
      'columns', (SELECT coalesce(json_agg(json_build_object(
          'name', a.attname, 'typeOid', a.atttypid::bigint, 'typeName', (
            WITH RECURSIVE made (type, of) AS (
              SELECT t.oid, t.typbasetype FROM pg_type t WHERE t.oid = a.atttypid
              UNION ALL SELECT t.oid, t.typbasetype FROM made JOIN pg_type t ON t.oid = made.of)
            SELECT format_type(type, -1) FROM made WHERE of = 0),
          'notNull', a.attnotnull, 'generated', a.attgenerated::text,
          'number', a.attnum, 'typeModifier', a.atttypmod) ORDER BY a.attnum), '[]')
        FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
      'uniqueKeys', (SELECT coalesce(json_agg((
          SELECT json_agg(a.attname ORDER BY k.place) FROM unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) WITH ORDINALITY k (num, place)
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.num)
          ORDER BY i.indisprimary DESC, i.indexrelid), '[]')
        FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
          AND i.indpred IS NULL AND i.indexprs IS NULL AND NOT EXISTS (
            SELECT FROM unnest(i.indkey::int2[], i.indcollation::oid[]) k (num, sorted_by)
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.num AND a.attcollation <> k.sorted_by
            JOIN pg_collation l ON l.oid = a.attcollation AND NOT l.collisdeterministic)),
      'heirs', (SELECT coalesce(json_agg(h.inhrelid::regclass::text ORDER BY h.inhrelid), '[]')
        FROM pg_inherits h WHERE h.inhparent = c.oid AND c.relkind = 'r'),
      'identities', (SELECT coalesce(json_agg(json_build_object(
          'table', p.oid::regclass::text, 'kind', p.relreplident,
          'columns', (SELECT coalesce(json_agg(a.attname), '[]')
            FROM pg_index i JOIN pg_attribute a ON a.attrelid = p.oid AND a.attnum = ANY (i.indkey::int2[])
            WHERE i.indrelid = p.oid AND i.indisvalid
              AND CASE p.relreplident WHEN 'd' THEN i.indisprimary AND i.indimmediate WHEN 'i' THEN i.indisreplident ELSE false END))), '[]')
        FROM pg_class p WHERE p.oid = c.oid AND c.relkind <> 'p'
          OR c.relkind = 'p' AND p.relkind <> 'p' AND p.oid IN (SELECT relid FROM pg_partition_tree(c.oid)))
    ) END AS facts
    FROM ROWS FROM (json_to_recordset(${wanted}::text::json) AS (schema text, name text)) WITH ORDINALITY wanted (schema, name, place)
      LEFT JOIN pg_namespace n ON n.nspname = wanted.schema
      LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
    ORDER BY wanted.place`
  return rows.map(({ facts }) => facts ?? undefined)
}

/** A domain over a domain over an array…: no real schema nests deeper. */
const TYPE_DEPTH_MAX = 32

/** The types of `oids` and, level by level, what they are made of; `known` ones are kept. */
export async function loadTypes(sql: Sql, oids: Iterable<number>, known: Types = new Map()): Promise<Types> {
  const types = new Map(known)
  let wanted = [...new Set(oids)].filter((oid) => !types.has(oid))
  for (let depth = 0; wanted.length > 0 && depth < TYPE_DEPTH_MAX; depth++) {
    const rows = await sql<{ facts: TypeFacts }[]>`
      SELECT json_build_object('oid', oid::bigint, 'name', typname, 'kind', typtype, 'base', typbasetype::bigint,
        'element', typelem::bigint, 'delimiter', typdelim) AS facts
      FROM pg_type WHERE oid = ANY (${`{${wanted.join(',')}}`}::oid[])`
    for (const { facts } of rows) types.set(facts.oid, facts)
    wanted = [...new Set(rows.flatMap(({ facts }) => [facts.base, facts.element]))].filter(
      (oid) => oid !== 0 && !types.has(oid),
    )
  }
  return types
}
