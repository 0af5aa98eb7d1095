import { expect, test } from 'vitest'
import type { Change } from '../../../../schemas/delta.ts'
import { collect, entityOf, hasChange, isSnapshotDone, ownDatabase, sourceFor } from '../own-database.ts'

const ITEM = entityOf('item', { id: 'int64', note: 'string' })

/** A database with an item table, captured, its (empty) snapshot done. */
async function streaming() {
  const database = await ownDatabase()
  await database.sql`CREATE TABLE item (id bigint PRIMARY KEY, note text)`
  await database.sql`ALTER TABLE item REPLICA IDENTITY FULL`
  const source = sourceFor(database, [ITEM])
  await source.prepare()
  const seen = collect(source)
  await seen.until('the snapshot is done', isSnapshotDone)
  return { ...database, seen }
}

const noteOf = (change: Change) => (change.op === 'delete' ? null : change.after.note)
const short = (change: Change) => [change.op, change.key, noteOf(change)]

function expectRising(changes: readonly Change[]): void {
  const ordinals = changes.map(({ version }) => version.ordinal)
  expect(ordinals).toEqual(ordinals.toSorted((a, b) => a - b))
  expect(new Set(ordinals).size).toBe(ordinals.length)
  expect(new Set(changes.map(({ version }) => version.position)).size).toBe(1)
}

test('of nested savepoints, what was rolled back at any level is left out, and the rest keeps its order', async () => {
  const { sql, seen } = await streaming()
  const work = `
    INSERT INTO item VALUES (1, 'outermost');
    SAVEPOINT a;
      INSERT INTO item VALUES (2, 'a');
      SAVEPOINT b;
        UPDATE item SET note = 'b' WHERE id = 1;
        DELETE FROM item WHERE id = 2;
        SAVEPOINT c;
          INSERT INTO item VALUES (3, 'c');
        RELEASE c;
        INSERT INTO item VALUES (4, 'b');
      ROLLBACK TO b;
      UPDATE item SET note = 'a again' WHERE id = 2;
      SAVEPOINT d;
        INSERT INTO item VALUES (3, 'd');
      RELEASE d;
    RELEASE a;
    SAVEPOINT e;
      DELETE FROM item;
    ROLLBACK TO e;
    INSERT INTO item VALUES (5, 'last');`
  await sql.begin((tx) => tx.unsafe(work))
  await seen.until('the last row', hasChange('5'))
  expect(seen.changes().map(short)).toEqual([
    ['create', '1', 'outermost'],
    ['create', '2', 'a'],
    ['update', '2', 'a again'],
    ['create', '3', 'd'],
    ['create', '5', 'last'],
  ])
  expectRising(seen.changes())
})

test('of a thousand savepoints in one transaction, the rows of those that were kept arrive, in their order', async () => {
  const { sql, seen } = await streaming()
  const count = 1_000
  const isKept = (id: number) => id % 3 !== 0
  const statements = Array.from({ length: count }, (_, index) => {
    const id = index + 1
    return `SAVEPOINT s; INSERT INTO item VALUES (${id}, 'inner'); ${isKept(id) ? 'RELEASE s;' : 'ROLLBACK TO s;'}`
  })
  await sql.begin((tx) => tx.unsafe(`${statements.join('\n')} INSERT INTO item VALUES (0, 'outer')`))
  await seen.until('the last row', hasChange('0'))
  const kept = Array.from({ length: count }, (_, index) => index + 1).filter(isKept)
  expect(seen.changes().map((change) => change.key)).toEqual([...kept.map(String), '0'])
  expectRising(seen.changes())
})

test('rows of COPY that share a place in the log keep their order, also with changes of the same rows behind them', async () => {
  const { sql, seen } = await streaming()
  const rows = 3_000
  const session = await sql.reserve()
  await session`BEGIN`
  const copy = await session`COPY item FROM STDIN`.writable()
  await new Promise<void>((resolve, reject) => {
    copy.on('error', reject).on('finish', resolve)
    for (let id = 1; id <= rows; id++) copy.write(`${id}\tcopied\n`)
    copy.end()
  })
  await session`UPDATE item SET note = 'twice' WHERE id <= 2`
  await session`INSERT INTO item VALUES (0, 'last')`
  await session`COMMIT`
  session.release()
  await seen.until('the last row', hasChange('0'))
  const keys = Array.from({ length: rows }, (_, index) => String(index + 1))
  expect(seen.changes().map((change) => change.key)).toEqual([...keys, '1', '2', '0'])
  expectRising(seen.changes())
})
