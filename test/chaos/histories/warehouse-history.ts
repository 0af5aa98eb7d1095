import type postgres from 'postgres'
import { formatVersion, versionFromBytes } from '../../../schemas/version.ts'
import type { EffectEntry, Fields, StateEntry } from './history.ts'
import type { RecordedTable } from './source-history.ts'
import { SQL_BRIEF, SQL_TEXT_SETTINGS, sqlFields } from './values.ts'

/**
 * What makes a warehouse write its own history: triggers note, in the transaction of each statement that delivers, what a row is afterwards.
 * Deletes are noted twice: by the row that goes, and by the guard, which knows the version. For tables that `provision` has made.
 */
export function warehouseHistorySql(tables: readonly RecordedTable[]): string {
  return `${SQL_BRIEF}
  CREATE TABLE tributary_history (
    number bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(), entity text NOT NULL, key text NOT NULL,
    version bytea, fields jsonb);
  ${tables.map(tableSql).join('\n')}
  CREATE FUNCTION history_of_guard() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO public.tributary_history (entity, key, version)
        SELECT entity, NEW.tributary_key, NEW.tributary_version
        FROM (VALUES ${tables.map(({ entity, table }) => `('${entity}', '${table}')`).join(', ')}) AS t(entity, target)
        WHERE NEW.target IN (t.target, 'public.' || t.target);
      RETURN NEW;
    END $$;
  CREATE TRIGGER history AFTER INSERT OR UPDATE ON tributary_guard FOR EACH ROW EXECUTE FUNCTION history_of_guard();`
}

function tableSql({ entity, table, columns }: RecordedTable): string {
  return `
  CREATE FUNCTION history_of_${table}() RETURNS trigger LANGUAGE plpgsql ${SQL_TEXT_SETTINGS} AS $$
    BEGIN
      IF TG_OP = 'DELETE' THEN
        INSERT INTO public.tributary_history (entity, key) VALUES ('${entity}', OLD.tributary_key);
        RETURN OLD;
      END IF;
      INSERT INTO public.tributary_history (entity, key, version, fields)
        VALUES ('${entity}', NEW.tributary_key, NEW.tributary_version, ${sqlFields('NEW', columns)});
      RETURN NEW;
    END $$;
  CREATE TRIGGER history AFTER INSERT OR UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION history_of_${table}();
  CREATE FUNCTION state_of_${table}() RETURNS TABLE (key text, fields jsonb) LANGUAGE sql ${SQL_TEXT_SETTINGS} AS $$
    SELECT tributary_key, ${sqlFields('t', columns)} FROM public.${table} AS t $$;`
}

/** The number of the newest effect that a warehouse has noted; 0 while there is none. */
export async function newestEffect(sql: postgres.Sql): Promise<number> {
  const [row] = await sql<{ newest: string }[]>`
    SELECT coalesce(max(number), 0)::text AS newest FROM tributary_history`
  return Number(row!.newest)
}

export async function readWarehouseHistory(sql: postgres.Sql, destination: string): Promise<EffectEntry[]> {
  const rows = await sql<
    { number: string; at: string; entity: string; key: string; version: Buffer | null; fields: Fields | null }[]
  >`SELECT number::text, (extract(epoch FROM at) * 1000)::text AS at, entity, key, version, fields FROM tributary_history ORDER BY tributary_history.number`
  return rows.map(({ number, at, entity, key, version, fields }) => ({
    destination,
    number: Number(number),
    atMs: Math.round(Number(at)),
    entity,
    key,
    version: version === null ? null : formatVersion(versionFromBytes(version)),
    op: fields === null ? 'delete' : 'write',
    sent: null,
    after: fields,
    result: 'applied',
  }))
}

/** What the tables themselves hold now. */
export async function readWarehouseState(
  sql: postgres.Sql,
  destination: string,
  tables: readonly RecordedTable[],
): Promise<StateEntry[]> {
  const found: StateEntry[] = []
  for (const { entity, table } of tables) {
    const rows = await sql.unsafe<{ key: string; fields: Fields }[]>(`SELECT key, fields FROM state_of_${table}()`)
    found.push(...rows.map(({ key, fields }) => ({ place: destination, entity, key, fields })))
  }
  return found
}
