import type postgres from 'postgres'
import type { Flow } from '../../support/flow.ts'
import { onLocalStack } from '../../support/flow.ts'

export const SOURCE = 'erp'

export interface Scenario {
  readonly what: string
  readonly declare: (prefix: string) => string
  readonly sourceSql: string
  /**
   * Makes the work that capture will find.
   * @param captureOnce runs capture until it has what there is by now, so that what is made after is a backlog in its slot
   * @returns how many records it has to publish, and how long it is watched after them
   */
  make(
    flow: Flow,
    scale: number,
    captureOnce: () => Promise<void>,
  ): Promise<{ readonly records: number; readonly idleMs: number }>
}

const TABLES = 300
const ROWS_PER_TABLE = 100

const tableSql = (name: string) => `
CREATE TABLE ${name} (id bigint PRIMARY KEY, name text NOT NULL, email text NOT NULL, street text, city text, amount numeric(14,2), updated_at timestamptz);
ALTER TABLE ${name} REPLICA IDENTITY FULL;`

const entityText = (name: string, partitions: number) => `
  ${name}:
    source: ${SOURCE}
    table: ${name}
    key: id
    owner: bench
    freshness: 1m
    partitions: ${partitions}
    fields: { id: int64, name: string, email: string, street: string, city: string, amount: "decimal(14,2)", updated_at: timestamptz }`

const declare = (names: readonly string[], partitions: number) => (prefix: string) =>
  `
${onLocalStack(prefix)}
sources:
  ${SOURCE}: { type: postgres, url: "\${ERP_URL}" }
entities:${names.map((name) => entityText(name, partitions)).join('')}
subscribers: {}
`

const ONE = { declare: declare(['t1'], 6), sourceSql: tableSql('t1') }
const MANY_NAMES = Array.from({ length: TABLES }, (_, index) => `t${index + 1}`)

/** Rows of about 200 bytes as text. */
const rowsSql = (first: number, last: number) => `
  SELECT i, 'Customer ' || i || ' Ltd., ' || md5(i::text) || md5((i + 1)::text), 'customer.' || i || '@example.com', i || ' Station Road',
    'City ' || i % 500, i * 1.25, now() - i * interval '1 second'
  FROM generate_series(${first}::bigint, ${last}::bigint) AS i`

async function insertRows(sql: postgres.Sql, table: string, rows: number): Promise<void> {
  await sql.unsafe(`INSERT INTO ${table} ${rowsSql(1, rows)}`)
}

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  idle: {
    what: 'nothing to do',
    ...ONE,
    make: async () => ({ records: 0, idleMs: 15_000 }),
  },
  transaction: {
    what: 'one transaction of 2 million rows',
    ...ONE,
    async make({ source }, scale, captureOnce) {
      const records = Math.round(2_000_000 * scale)
      await captureOnce()
      await insertRows(source, 't1', records)
      return { records, idleMs: 0 }
    },
  },
  update: {
    what: 'one UPDATE of 500,000 rows, with their old values',
    ...ONE,
    async make({ source }, scale, captureOnce) {
      const records = Math.round(500_000 * scale)
      // Small at first, so that the rows come by the log and not by a snapshot.
      await captureOnce()
      await insertRows(source, 't1', records)
      await captureOnce()
      await source`UPDATE t1 SET amount = amount + 1, city = 'Town ' || id % 500`
      return { records, idleMs: 0 }
    },
  },
  copy: {
    what: 'COPY of 1 million rows',
    ...ONE,
    async make({ source }, scale, captureOnce) {
      const records = Math.round(1_000_000 * scale)
      await captureOnce()
      const copy = await source`COPY t1 FROM STDIN`.writable()
      const lines = await source`COPY (${source.unsafe(rowsSql(1, records))}) TO STDOUT`.readable()
      await new Promise<void>((resolve, reject) => {
        lines.on('error', reject)
        copy.on('error', reject).on('finish', resolve)
        lines.pipe(copy)
      })
      return { records, idleMs: 0 }
    },
  },
  snapshot: {
    what: 'a snapshot of 1 million rows',
    ...ONE,
    async make({ source }, scale) {
      const records = Math.round(1_000_000 * scale)
      await insertRows(source, 't1', records)
      return { records, idleMs: 0 }
    },
  },
  tables: {
    what: `the snapshot of ${TABLES} tables`,
    declare: declare(MANY_NAMES, 1),
    sourceSql: MANY_NAMES.map(tableSql).join('\n'),
    async make({ source }) {
      for (const name of MANY_NAMES) await insertRows(source, name, ROWS_PER_TABLE)
      return { records: TABLES * ROWS_PER_TABLE, idleMs: 0 }
    },
  },
}
