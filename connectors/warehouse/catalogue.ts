import { arrayLiteral } from './literals.ts'
import type { CatalogueFacts, TableFacts } from './provision-plan.ts'
import type { Rows, Session } from './session.ts'
import { KEY_COLUMN } from './sql-names.ts'

const SERVER = `SELECT current_setting('server_encoding'), pg_is_in_recovery()::text,
  (SELECT count(*)::text FROM pg_namespace WHERE nspname = $1::text)`

const COLUMNS = `SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), l.collname::text
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_attribute AS a ON a.attrelid = c.oid LEFT JOIN pg_collation AS l ON l.oid = a.attcollation
  WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[]) AND a.attnum > 0 AND NOT a.attisdropped`

const TABLES = `SELECT c.relname::text, has_table_privilege(c.oid, 'SELECT')::text, has_table_privilege(c.oid, 'INSERT')::text,
  has_table_privilege(c.oid, 'UPDATE')::text, has_table_privilege(c.oid, 'DELETE')::text
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[])`

const PRIMARY_KEYS = `SELECT c.relname::text, a.attname::text
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_index AS x ON x.indrelid = c.oid AND x.indisprimary
  CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.attnum
  WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[]) ORDER BY c.relname, k.place`

/** The columns of every index that any row can be found by, in order; not those of expressions or that only hold some rows. */
const INDEXES = `SELECT c.relname::text, x.indexrelid::text, a.attname::text
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_index AS x ON x.indrelid = c.oid AND x.indisvalid AND x.indpred IS NULL AND x.indexprs IS NULL
  JOIN pg_class AS i ON i.oid = x.indexrelid JOIN pg_am AS m ON m.oid = i.relam AND m.amname = 'btree'
  CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.attnum
  WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[]) AND k.place <= x.indnkeyatts
  ORDER BY x.indexrelid, k.place`

const RIGHTS = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] as const

/** Reads what {@link planProvision} decides from: the schema, and those of the named tables that exist. */
export async function readCatalogue(
  session: Session,
  schema: string,
  names: readonly string[],
): Promise<CatalogueFacts> {
  const parameters = [schema, arrayLiteral(names)]
  const [server, columns, tables, primaryKeys, indexes] = await Promise.all([
    session.query(SERVER, [schema], false),
    session.query(COLUMNS, parameters, false),
    session.query(TABLES, parameters, false),
    session.query(PRIMARY_KEYS, parameters, false),
    session.query(INDEXES, parameters, false),
  ])
  const [encoding, standby, schemas] = server[0]!
  const facts = new Map<string, TableFacts>()
  for (const [table, ...rights] of tables) {
    const own = columns.filter(([name]) => name === table)
    facts.set(table!, {
      columns: new Map(own.map(([, column, type]) => [column!, type!])),
      primaryKey: primaryKeys.filter(([name]) => name === table).map(([, column]) => column!),
      indexes: indexesOf(indexes.filter(([name]) => name === table)),
      keyCollation: own.find(([, column]) => column === KEY_COLUMN)?.[3] ?? null,
      rightsMissing: RIGHTS.filter((_, at) => rights[at] !== 'true'),
    })
  }
  return { encoding: encoding!, standby: standby === 'true', schemaExists: schemas !== '0', tables: facts }
}

function indexesOf(rows: Rows): readonly (readonly string[])[] {
  const indexes = new Map<string, string[]>()
  for (const [, index, column] of rows) indexes.set(index!, [...(indexes.get(index!) ?? []), column!])
  return [...indexes.values()]
}
