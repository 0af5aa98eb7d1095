import { expect, test } from 'vitest'
import { examineSource } from '../../../../connectors/postgres/examine.ts'
import type { Entity } from '../../../../schemas/entity.ts'
import { captured, collect, entityOf, hasChange, isSnapshotDone, ownDatabase, sourceFor } from '../own-database.ts'

async function streaming(entity: Entity, setup: string) {
  const database = await ownDatabase()
  await database.sql.unsafe(setup)
  const notices: string[] = []
  const source = sourceFor(database, [entity], { onNotice: ({ message }) => notices.push(message) })
  await source.prepare()
  const seen = collect(source)
  await seen.until('the snapshot is done', isSnapshotDone)
  return { ...database, seen, notices }
}

const idOf = (name: string) => entityOf(name, { id: 'int64' })

test('what has no log of changes, or no key that names one row, is refused with its reason', async () => {
  const { sql, url } = await ownDatabase()
  await sql.unsafe(`
    CREATE TABLE rows (id bigint PRIMARY KEY, other bigint);
    CREATE VIEW a_view AS SELECT id FROM rows;
    CREATE MATERIALIZED VIEW a_materialized AS SELECT id FROM rows;
    CREATE EXTENSION postgres_fdw;
    CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw;
    CREATE FOREIGN TABLE a_foreign (id bigint NOT NULL) SERVER elsewhere;
    CREATE UNLOGGED TABLE an_unlogged (id bigint PRIMARY KEY);
    CREATE TABLE keyless (id bigint NOT NULL);
    CREATE TABLE nullable (id bigint UNIQUE);
    CREATE TABLE deferrable_key (id bigint PRIMARY KEY DEFERRABLE INITIALLY IMMEDIATE);
    CREATE TABLE partial_key (id bigint NOT NULL); CREATE UNIQUE INDEX ON partial_key (id) WHERE id > 0;
    CREATE TABLE expression_key (id bigint NOT NULL); CREATE UNIQUE INDEX ON expression_key ((id + 0));
    CREATE TABLE wider_key (id bigint NOT NULL, no int NOT NULL, PRIMARY KEY (id, no));
    CREATE TABLE no_identity (id bigint NOT NULL UNIQUE);
    CREATE TABLE nothing (id bigint PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
    CREATE TABLE other_index (id bigint PRIMARY KEY, code text NOT NULL UNIQUE);
    ALTER TABLE other_index REPLICA IDENTITY USING INDEX other_index_code_key;
    CREATE TABLE virtual_column (id bigint PRIMARY KEY, twice bigint GENERATED ALWAYS AS (id * 2) VIRTUAL);
    CREATE TABLE boxes (id bigint PRIMARY KEY, areas box[]);
    CREATE TABLE unique_key (id bigint NOT NULL UNIQUE); ALTER TABLE unique_key REPLICA IDENTITY FULL`)
  const expected: Readonly<Record<string, RegExp | null>> = {
    absent: /does not exist/,
    a_view: /but a view/,
    a_materialized: /but a materialized view/,
    a_foreign: /but a foreign table/,
    an_unlogged: /SET LOGGED/,
    keyless: /not unique.*ADD PRIMARY KEY/,
    nullable: /SET NOT NULL/,
    deferrable_key: /not unique/,
    partial_key: /not unique/,
    expression_key: /not unique/,
    wider_key: /not unique/,
    no_identity: /is empty.*ALTER TABLE no_identity REPLICA IDENTITY FULL/,
    nothing: /is empty.*ALTER TABLE nothing REPLICA IDENTITY FULL/,
    other_index: /\("code"\) lacks the key \("id"\).*ALTER TABLE other_index REPLICA IDENTITY FULL/,
    virtual_column: /generated when read/,
    boxes: /array of box, whose text is split by ";"; it is read as string/,
    unique_key: null,
  }
  const entities = Object.keys(expected).map((name) => {
    const more: Readonly<Record<string, string>> =
      name === 'virtual_column' ? { twice: 'int64' } : name === 'boxes' ? { areas: 'string[]' } : {}
    return captured(entityOf(name, { id: 'int64', ...more }))
  })
  const examination = await examineSource({ name: 'shop', url, publication: 'tributary', entities })
  for (const [index, [name, finding]] of Object.entries(expected).entries()) {
    const { findings } = examination.tables[index]!
    if (finding === null) expect(findings, name).toEqual([])
    else expect(findings, name).toContainEqual(expect.stringMatching(finding))
  }
})

test('each replica identity is told with what follows from it', async () => {
  const { sql, url } = await ownDatabase()
  await sql.unsafe(`
    CREATE TABLE of_full (id bigint PRIMARY KEY); ALTER TABLE of_full REPLICA IDENTITY FULL;
    CREATE TABLE of_default (id bigint PRIMARY KEY);
    CREATE TABLE of_index (id bigint PRIMARY KEY, no int NOT NULL, UNIQUE (no, id));
    ALTER TABLE of_index REPLICA IDENTITY USING INDEX of_index_no_id_key;
    CREATE TABLE of_parts (id bigint PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE part_1 PARTITION OF of_parts FOR VALUES FROM (0) TO (9);
    CREATE TABLE part_2 PARTITION OF of_parts FOR VALUES FROM (9) TO (99);
    ALTER TABLE part_1 REPLICA IDENTITY FULL;
    CREATE TABLE of_parent (id bigint PRIMARY KEY); CREATE TABLE child (more text) INHERITS (of_parent)`)
  const names = ['of_full', 'of_default', 'of_index', 'of_parts', 'of_parent']
  const examination = await examineSource({
    name: 'shop',
    url,
    publication: 'tributary',
    entities: names.map((name) => captured(idOf(name))),
  })
  const known = { changedFields: 'known', unchangedLargeValues: 'from the log', updatesAndDeletes: 'identified' }
  const unknown = { ...known, changedFields: 'not known', unchangedLargeValues: 'read from the table' }
  expect(examination.tables.map(({ identity }) => identity)).toEqual([
    { identity: 'full', ...known },
    { identity: 'default (id)', ...unknown },
    { identity: 'index (id, no)', ...unknown },
    { identity: 'default (id) and full', ...unknown },
    { identity: 'default (id)', ...unknown },
  ])
  expect(examination.tables.map(({ notes }) => notes.join())).toEqual([
    '',
    '',
    '',
    expect.stringContaining('ATTACH, DETACH, DROP and TRUNCATE of one partition are not in the log'),
    expect.stringContaining('rows of child, which inherit from public.of_parent, are not captured'),
  ])
})

test('a database that does not answer is told, and is no finding', async () => {
  const entities = [captured(idOf('customer'))]
  const url = 'postgres://nobody:hunter2@127.0.0.1:1/none'
  const examination = await examineSource({ name: 'shop', url, publication: 'tributary', entities })
  expect(examination).toMatchObject({
    findings: [],
    tables: [],
    unreachable: expect.stringContaining('does not answer'),
  })
  expect(examination.unreachable).not.toContain('hunter2')
})

const PARTITIONED = `
  CREATE TABLE line (region text, id bigint, text text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
  CREATE TABLE line_eu PARTITION OF line FOR VALUES IN ('eu');
  CREATE TABLE line_us PARTITION OF line FOR VALUES IN ('us');
  INSERT INTO line VALUES ('eu', 1, 'old')`
const LINE = entityOf('line', { region: 'string', id: 'int64', text: 'string' }, ['region', 'id'])

test('a row that moves to another partition is deleted under its old key and created under its new one', async () => {
  const { sql, seen } = await streaming(LINE, PARTITIONED)
  await sql.unsafe(`CREATE TABLE line_asia PARTITION OF line FOR VALUES IN ('asia')`)
  await sql.unsafe(`UPDATE line SET region = 'asia' WHERE id = 1`)
  await sql.unsafe(`UPDATE line_asia SET text = 'new'`)
  await seen.until('the update', hasChange('["asia","1"]', 'update'))
  expect(seen.changes().map(({ op, key, source }) => [op, key, source.object])).toEqual([
    ['snapshot', '["eu","1"]', 'public.line'],
    ['delete', '["eu","1"]', 'public.line'],
    ['create', '["asia","1"]', 'public.line'],
    ['update', '["asia","1"]', 'public.line'],
  ])
})

test('partitions that are attached, emptied and detached with rows do not show in the log, and do not disturb it', async () => {
  const { sql, seen } = await streaming(LINE, PARTITIONED)
  await sql.unsafe(`
    CREATE TABLE line_asia (LIKE line INCLUDING ALL); INSERT INTO line_asia VALUES ('asia', 2, 'unseen');
    ALTER TABLE line ATTACH PARTITION line_asia FOR VALUES IN ('asia')`)
  await sql`TRUNCATE line_eu`
  await sql`ALTER TABLE line DETACH PARTITION line_eu`
  await sql`UPDATE line SET text = 'seen' WHERE region = 'asia'`
  await sql`INSERT INTO line VALUES ('us', 3, 'seen')`
  await seen.until('the insert', hasChange('["us","3"]'))
  expect(seen.changes().map(({ op, key }) => [op, key])).toEqual([
    ['snapshot', '["eu","1"]'],
    ['update', '["asia","2"]'],
    ['create', '["us","3"]'],
  ])
})

test('a partition that comes with an identity without the key stops capture before a change of it is taken amiss', async () => {
  const { sql, seen } = await streaming(
    entityOf('line', { region: 'string', code: 'string' }, ['region', 'code']),
    `CREATE TABLE line (region text, id bigint, code text NOT NULL, PRIMARY KEY (region, id), UNIQUE (region, code)) PARTITION BY LIST (region);
     CREATE TABLE line_eu PARTITION OF line FOR VALUES IN ('eu'); ALTER TABLE line_eu REPLICA IDENTITY FULL`,
  )
  await sql`INSERT INTO line VALUES ('eu', 1, 'a')`
  await sql.unsafe(`CREATE TABLE line_us PARTITION OF line FOR VALUES IN ('us')`)
  await sql`INSERT INTO line VALUES ('us', 1, 'a')`
  await sql`UPDATE line SET code = 'b' WHERE region = 'us'`
  await seen.ended
  expect(seen.failure()).toMatchObject({
    code: 'source-unsuitable',
    message: expect.stringContaining('ALTER TABLE line_us REPLICA IDENTITY FULL'),
  })
  expect(seen.changes().every(({ key }) => key === '["eu","a"]')).toBe(true)
})

test('rows of tables that inherit are left out, by the snapshot as by the stream, and a notice says so', async () => {
  const { sql, seen, notices } = await streaming(
    idOf('customer'),
    `CREATE TABLE customer (id bigint PRIMARY KEY); ALTER TABLE customer REPLICA IDENTITY FULL;
     CREATE TABLE vip (discount int, PRIMARY KEY (id)) INHERITS (customer);
     INSERT INTO customer VALUES (1); INSERT INTO vip VALUES (2, 10)`,
  )
  await sql`INSERT INTO vip VALUES (3, 10)`
  await sql`UPDATE customer SET id = id + 10`
  await seen.until('the key change', hasChange('11'))
  expect(seen.changes().map(({ op, key }) => [op, key])).toEqual([
    ['snapshot', '1'],
    ['delete', '1'],
    ['create', '11'],
  ])
  expect(notices).toContainEqual(
    expect.stringContaining('rows of vip, which inherit from public.customer, are not captured'),
  )
})

test('a unique key that is not the primary key names the rows, and a change of it is seen', async () => {
  const { sql, seen } = await streaming(
    entityOf('customer', { id: 'int64', code: 'string' }, ['code']),
    'CREATE TABLE customer (id bigint PRIMARY KEY, code text NOT NULL UNIQUE); ALTER TABLE customer REPLICA IDENTITY FULL',
  )
  await sql`INSERT INTO customer VALUES (1, 'a')`
  await sql`UPDATE customer SET code = 'b'`
  await seen.until('the key change', hasChange('b'))
  expect(seen.changes().map(({ op, key }) => [op, key])).toEqual([
    ['create', 'a'],
    ['delete', 'a'],
    ['create', 'b'],
  ])
})
