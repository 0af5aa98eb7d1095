import type { DeletePolicy } from '../destination.ts'
import type { ConditionalDeletion } from './condition.ts'
import { type Column, DELETED_AT_COLUMN, KEY_COLUMN, quoteIdentifier, VERSION_COLUMN } from './sql-names.ts'
import type { Table } from './tables.ts'

/*
 * Every statement takes its rows as text arrays ($1 keys, $2 versions in hex, then one array a column) and casts them: one text
 * per set of columns whatever the number of rows, and values that can only be read as the column's own type.
 * Every statement answers with the keys it took effect on, unless it says otherwise.
 *
 * Concurrency: transactions are READ COMMITTED. A statement that meets a locked row waits and looks at the row's committed
 * version again, so `tributary_version <= new` holds for the row as it is and not as the snapshot had it. The guard
 * table is read from the statement's snapshot; that is why making and removing rows takes the advisory lock in a statement
 * *before* the one that reads the guard (see lockStatement).
 */

const KEY = quoteIdentifier(KEY_COLUMN)
const VERSION = quoteIdentifier(VERSION_COLUMN)
const DELETED_AT = quoteIdentifier(DELETED_AT_COLUMN)

/**
 * Where deletes remove rows, a full upsert could read the guard, lose the race, and insert the row again after the delete
 * committed. With this as an earlier statement of both, either the delete waits for the upsert and then removes its row,
 * or the upsert waits for the delete and its next statement's snapshot sees the guard.
 */
export function lockStatement(table: Table, mode: 'shared' | 'exclusive'): string {
  return `SELECT pg_advisory_xact_lock${mode === 'shared' ? '_shared' : ''}(${table.lockId})`
}

/** Makes the row or updates the given columns of it. What it leaves out is held at a newer version, in the row or in the guard. */
export function fullUpsert(table: Table, columns: readonly Column[]): string {
  const names = columns.map(({ name }) => quoteIdentifier(name))
  const set = [VERSION, ...names].map((name) => `${name} = excluded.${name}`)
  if (table.marksRows) set.push(`${DELETED_AT} = NULL`)
  const guarded = table.removesRows ? ` WHERE coalesce(${guardVersion(table)} <= i.v, true)` : ''
  return `INSERT INTO ${table.name} AS t (${[KEY, VERSION, ...names].join(', ')})
    SELECT i.k, i.v${columns.map((_, at) => `, i.c${at}`).join('')} FROM ${input(columns)}${guarded} ORDER BY i.k
    ON CONFLICT (${KEY}) DO UPDATE SET ${set.join(', ')} WHERE t.${VERSION} <= excluded.${VERSION}
    RETURNING t.${KEY}`
}

/** Updates the given columns of rows that are there. */
export function partialUpdate(table: Table, columns: readonly Column[]): string {
  const set = columns.map(({ name }, at) => `, ${quoteIdentifier(name)} = i.c${at}`).join('')
  return `UPDATE ${table.name} AS t SET ${VERSION} = i.v${set} FROM ${input(columns)}
    WHERE ${olderAndAlive(table)} RETURNING t.${KEY}`
}

/**
 * Updates, in each row, the columns that its mask ($3, one `0` or `1` a column of the mapping) names. For the many
 * rare sets of columns of a batch, which would be a statement each. The other columns are set to themselves, as they are in the
 * locked row, so their values stay; only a trigger `UPDATE OF` such a column would notice.
 */
export function maskedUpdate(table: Table): string {
  const set = table.columns.map(({ name }, at) => {
    const quoted = quoteIdentifier(name)
    return `, ${quoted} = CASE substr(i.m, ${at + 1}, 1) WHEN '1' THEN i.c${at} ELSE t.${quoted} END`
  })
  return `UPDATE ${table.name} AS t SET ${VERSION} = i.v${set.join('')} FROM ${input(table.columns, true)}
    WHERE ${olderAndAlive(table)} RETURNING t.${KEY}`
}

/** What the keys ($1) have now: key, version in hex or null, whether marked as deleted, version of the guard in hex or null. */
export function lookUp(table: Table): string {
  const deleted = table.marksRows ? `t.${DELETED_AT} IS NOT NULL` : 'false'
  const guard = table.removesRows ? `encode(${guardVersion(table, ' COLLATE "C"')}, 'hex')` : 'NULL::text'
  return `SELECT i.k, encode(t.${VERSION}, 'hex'), (${deleted})::text, ${guard}
    FROM unnest($1::text[]) AS i(k) LEFT JOIN ${table.name} AS t ON t.${KEY} = i.k COLLATE "C"`
}

/** Removes rows, into the archive where there is one. Answers nothing of use: {@link guardDelete}, which follows, does. */
export function removeRows(table: Table): string {
  const remove = `DELETE FROM ${table.name} AS t USING ${input([])} WHERE t.${KEY} = i.k AND t.${VERSION} <= i.v`
  if (!table.archivesRows) return remove
  const names = [KEY, VERSION, ...table.columns.map(({ name }) => quoteIdentifier(name))]
  return `WITH gone AS (${remove} RETURNING ${names.map((name) => `t.${name}`).join(', ')})
    INSERT INTO ${table.archive} (${names.join(', ')}, ${DELETED_AT}) SELECT ${names.join(', ')}, now() FROM gone
    ON CONFLICT (${KEY}, ${VERSION}) DO NOTHING`
}

/**
 * Locks the rows of the keys ($1), so that {@link conditionalDelete} waits for none of them: what it decides by would be as old as
 * its wait. In the order of keys, as upserts do.
 */
export function lockRows(table: Table): string {
  return `SELECT t.${KEY} FROM ${table.name} AS t WHERE t.${KEY} = ANY ($1::text[]) ORDER BY t.${KEY} FOR UPDATE`
}

/**
 * Deletes rows in one way or the other. One statement, as each statement has a snapshot of its own: in two, a row could be
 * taken by neither. $3 and on are the parts of the keys.
 */
export function conditionalDelete(table: Table, { whileHeld, otherwise, condition }: ConditionalDeletion): string {
  const parts = condition.keyTypes.map((sqlType) => ({ sqlType }))
  return `WITH decided AS MATERIALIZED (SELECT i.k, i.v, ${condition.holds} AS held FROM ${input(parts)}),
    ${branch(table, whileHeld, 'while_held', 'd.held')},
    ${branch(table, otherwise, 'otherwise', 'NOT d.held')}
    SELECT ${KEY} FROM while_held UNION ALL SELECT ${KEY} FROM otherwise`
}

/** What one policy does with the decided rows of its side, as WITH queries of which the one called `name` has the keys. */
function branch(table: Table, policy: DeletePolicy, name: string, side: string): string {
  const where = `WHERE t.${KEY} = d.k AND t.${VERSION} <= d.v AND ${side}`
  const mark = `${DELETED_AT} = coalesce(t.${DELETED_AT}, now())`
  switch (policy) {
    case 'hard':
      return `${name} AS (DELETE FROM ${table.name} AS t USING decided AS d ${where} RETURNING t.${KEY})`
    case 'archive': {
      const names = [KEY, VERSION, ...table.columns.map((column) => quoteIdentifier(column.name))]
      const deletedAt = table.marksRows ? `coalesce(t.${DELETED_AT}, now())` : 'now()'
      const columns = [...names.map((column) => `t.${column}`), `${deletedAt} AS ${DELETED_AT}`]
      return `${name} AS (DELETE FROM ${table.name} AS t USING decided AS d ${where} RETURNING ${columns.join(', ')}),
    ${name}_archived AS (INSERT INTO ${table.archive} (${[...names, DELETED_AT].join(', ')})
      SELECT ${[...names, DELETED_AT].join(', ')} FROM ${name} ON CONFLICT (${KEY}, ${VERSION}) DO NOTHING)`
    }
    case 'soft':
      return `${name} AS (UPDATE ${table.name} AS t SET ${VERSION} = d.v, ${mark} FROM decided AS d ${where} RETURNING t.${KEY})`
    case 'ignore':
      return `${name} AS (UPDATE ${table.name} AS t SET ${VERSION} = d.v FROM decided AS d ${where} RETURNING t.${KEY})`
  }
}

/**
 * Records deleted keys in the guard. Runs after {@link removeRows} or {@link conditionalDelete}, under the exclusive lock: a row
 * that is still there is newer than its delete or was marked by it, and none can appear meanwhile.
 */
export function guardDelete(table: Table): string {
  return `INSERT INTO ${table.guard} AS g (target, ${KEY}, ${VERSION}, deleted_at)
    SELECT ${table.targetLiteral}, i.k, i.v, now() FROM ${input([])}
    WHERE ${rowMissing(table)} ORDER BY i.k
    ON CONFLICT (target, ${KEY}) DO UPDATE SET ${VERSION} = excluded.${VERSION}, deleted_at = excluded.deleted_at
    WHERE g.${VERSION} <= excluded.${VERSION} RETURNING g.${KEY}`
}

/** Marks rows as deleted; the time of the first mark stays. */
export function markDeleted(table: Table): string {
  return `UPDATE ${table.name} AS t SET ${VERSION} = i.v, ${DELETED_AT} = coalesce(t.${DELETED_AT}, now()) FROM ${input([])}
    WHERE t.${KEY} = i.k AND t.${VERSION} <= i.v RETURNING t.${KEY}`
}

/**
 * Puts a marked row where {@link markDeleted} found none, so that an older upsert of a frozen owner, which may land later,
 * does not make the object live again. A statement of its own: an INSERT checks NOT NULL before it looks for a conflict,
 * so together with the update it would fail on every row of a table with such a column.
 */
export function markMissingDeleted(table: Table): string {
  return `INSERT INTO ${table.name} AS t (${KEY}, ${VERSION}, ${DELETED_AT}) SELECT i.k, i.v, now() FROM ${input([])}
    WHERE ${rowMissing(table)} ORDER BY i.k
    ON CONFLICT (${KEY}) DO UPDATE
    SET ${VERSION} = excluded.${VERSION}, ${DELETED_AT} = coalesce(t.${DELETED_AT}, excluded.${DELETED_AT})
    WHERE t.${VERSION} <= excluded.${VERSION} RETURNING t.${KEY}`
}

/** Leaves the rows as they are, at the version of the delete that was ignored: the row then agrees with the ledger. */
export function advanceVersion(table: Table): string {
  return `UPDATE ${table.name} AS t SET ${VERSION} = i.v FROM ${input([])}
    WHERE t.${KEY} = i.k AND t.${VERSION} <= i.v RETURNING t.${KEY}`
}

/*
 * The two below are scalar subqueries because those are looked up by the whole key, row by row. As EXISTS they become a join, and while
 * the server had no statistics it read the whole guard for it: 2,500 upserts a second instead of 30,000 with 20,000 guard rows.
 */

/** The guard's version of an input row's key; null when there is none. */
function guardVersion(table: Table, collation = ''): string {
  return `(SELECT g.${VERSION} FROM ${table.guard} AS g
    WHERE g.target = ${table.targetLiteral} AND g.${KEY} = i.k${collation})`
}

function rowMissing(table: Table): string {
  return `(SELECT true FROM ${table.name} AS e WHERE e.${KEY} = i.k) IS NULL`
}

/** A marked row counts as missing: an object that is made again needs a full patch. */
function olderAndAlive(table: Table): string {
  const alive = table.marksRows ? ` AND t.${DELETED_AT} IS NULL` : ''
  return `t.${KEY} = i.k AND t.${VERSION} <= i.v${alive}`
}

/** The parameters as rows `i(k, v[, m], c0, c1, …)`. */
function input(columns: readonly Pick<Column, 'sqlType'>[], masked = false): string {
  const before = masked ? ['k', 'v', 'm'] : ['k', 'v']
  const names = [...before, ...columns.map((_, at) => `c${at}`)]
  const casts = columns.map(({ sqlType }, at) => `, u.c${at}::${sqlType} AS c${at}`).join('')
  const arrays = names.map((_, at) => `$${at + 1}::text[]`).join(', ')
  return `(SELECT u.k COLLATE "C" AS k, decode(u.v, 'hex') AS v${masked ? ', u.m' : ''}${casts}
    FROM unnest(${arrays}) AS u(${names.join(', ')})) AS i`
}
