import type { PostgresSourceOptions } from '../../../../connectors/postgres/source.ts'
import type { Entity } from '../../../../schemas/entity.ts'
import {
  type Collected,
  collect,
  entityOf,
  isSnapshotDone,
  type OwnDatabase,
  ownDatabase,
  sourceFor,
} from '../own-database.ts'

export const CUSTOMER = entityOf('customer', { id: 'int64', name: 'string', credit: 'numeric' })
export const TABLE = `
  CREATE TABLE customer (id int NOT NULL, name varchar(20), credit numeric(10,4), internal text);
  ALTER TABLE customer ADD PRIMARY KEY (id), REPLICA IDENTITY FULL;
  INSERT INTO customer VALUES (1, 'old', 1.2345)`

/** A captured customer table with one row, its snapshot done. */
export async function streaming(entity: Entity = CUSTOMER, table = TABLE, more: Partial<PostgresSourceOptions> = {}) {
  const database = await ownDatabase()
  await database.sql.unsafe(table)
  const source = sourceFor(database, [entity], more)
  await source.prepare()
  const seen = collect(source)
  await seen.until('the snapshot is done', isSnapshotDone)
  return { ...database, entity, seen, source }
}

/** What capture does after an error that may be tried again: everything anew, from the state that was stored. */
export async function again(
  database: OwnDatabase,
  before: Collected,
  entity: Entity,
  more: Partial<PostgresSourceOptions> = {},
): Promise<Collected> {
  const source = sourceFor(database, [entity], more)
  await source.prepare()
  const seen = collect(source, before.topics)
  await seen.until('the snapshot is done', isSnapshotDone)
  return seen
}

/** The newest state of every key, over runs. */
export function topic(...runs: readonly Collected[]): ReadonlyMap<string, unknown> {
  const rows = new Map<string, unknown>()
  for (const change of runs.flatMap((run) => run.changes()))
    rows.set(change.key, change.op === 'delete' ? 'deleted' : change.after)
  return rows
}

export const row = (id: bigint, name: string | null, credit: string | null = null) => ({ id, name, credit })
