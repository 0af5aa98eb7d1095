import type postgres from 'postgres'
import { BEFORE, type Fields, type SourceEntry, type StateEntry } from './history.ts'
import { SQL_BRIEF, SQL_TEXT_SETTINGS, sqlFields, sqlKey } from './values.ts'

/** A captured table, and the entity that it is. */
export interface RecordedTable {
  readonly entity: string
  readonly table: string
  readonly key: readonly string[]
  readonly columns: readonly string[]
}

/**
 * What makes a source write its own history: triggers note each change in the transaction that makes it. So it holds just what was
 * committed, also when the answer to COMMIT was lost, and goes back in time together with its database. The rows that are there already
 * begin it. The table of the history is not captured.
 */
export function sourceHistorySql(tables: readonly RecordedTable[]): string {
  return `${SQL_BRIEF}
  CREATE TABLE tributary_history (
    number bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(), entity text NOT NULL, key text NOT NULL,
    fields jsonb, transaction text NOT NULL DEFAULT pg_current_xact_id()::text);
  ${tables.map(tableSql).join('\n')}`
}

function tableSql({ entity, table, key, columns }: RecordedTable): string {
  const note = (row: string, isGone: boolean) =>
    `INSERT INTO public.tributary_history (entity, key, fields)
      VALUES ('${entity}', ${sqlKey(row, key)}, ${isGone ? 'NULL' : sqlFields(row, columns)});`
  return `
  CREATE FUNCTION history_of_${table}() RETURNS trigger LANGUAGE plpgsql ${SQL_TEXT_SETTINGS} AS $$
    BEGIN
      IF TG_OP = 'DELETE' THEN ${note('OLD', true)} RETURN OLD; END IF;
      IF TG_OP = 'UPDATE' AND ${sqlKey('OLD', key)} IS DISTINCT FROM ${sqlKey('NEW', key)} THEN ${note('OLD', true)} END IF;
      ${note('NEW', false)}
      RETURN NEW;
    END $$;
  CREATE TRIGGER history AFTER INSERT OR UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION history_of_${table}();
  CREATE FUNCTION history_of_truncated_${table}() RETURNS trigger LANGUAGE plpgsql ${SQL_TEXT_SETTINGS} AS $$
    BEGIN
      INSERT INTO public.tributary_history (entity, key) SELECT '${entity}', ${sqlKey('t', key)} FROM public.${table} AS t;
      RETURN NULL;
    END $$;
  CREATE TRIGGER history_truncated BEFORE TRUNCATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION history_of_truncated_${table}();
  CREATE FUNCTION state_of_${table}() RETURNS TABLE (key text, fields jsonb) LANGUAGE sql ${SQL_TEXT_SETTINGS} AS $$
    SELECT ${sqlKey('t', key)}, ${sqlFields('t', columns)} FROM public.${table} AS t $$;
  INSERT INTO tributary_history (entity, key, fields, transaction) SELECT '${entity}', key, fields, '${BEFORE}' FROM state_of_${table}();`
}

export async function readSourceHistory(sql: postgres.Sql): Promise<SourceEntry[]> {
  const rows = await sql<
    (Omit<SourceEntry, 'number' | 'atMs'> & { number: string; at: string; fields: Fields | null })[]
  >`
    SELECT number::text, (extract(epoch FROM at) * 1000)::text AS at, entity, key, fields, transaction
    FROM tributary_history ORDER BY tributary_history.number`
  return rows.map(({ number, at, entity, key, fields, transaction }) => ({
    number: Number(number),
    atMs: Math.round(Number(at)),
    entity,
    key,
    fields,
    transaction,
  }))
}

/** What the tables themselves hold now. */
export async function readSourceState(sql: postgres.Sql, tables: readonly RecordedTable[]): Promise<StateEntry[]> {
  const found: StateEntry[] = []
  for (const { entity, table } of tables) {
    const rows = await sql.unsafe<{ key: string; fields: Fields }[]>(`SELECT key, fields FROM state_of_${table}()`)
    found.push(...rows.map(({ key, fields }) => ({ place: 'source', entity, key, fields })))
  }
  return found
}
