import type postgres from 'postgres'

export const ENTITY = 'customer'

/** What a row looks like: so many columns, and so many bytes as its text is, about. */
export interface RowShape {
  readonly columns: number
  readonly bytes: number
}

export const ROW_SHAPE: RowShape = { columns: 12, bytes: 1_000 }

interface Column {
  readonly name: string
  /** As it is declared. */
  readonly type: string
  readonly sql: string
  /** Of row number `i`. */
  readonly value: string
}

/** The first five are in every table. */
const COLUMN_LIST: readonly Column[] = [
  { name: 'customer_id', type: 'int64', sql: 'bigint PRIMARY KEY', value: 'i' },
  { name: 'email', type: 'string', sql: 'text NOT NULL', value: "'customer.' || i || '@example.com'" },
  { name: 'notes', type: 'string', sql: 'text NOT NULL', value: '' },
  { name: 'balance', type: 'decimal(14,2)', sql: 'numeric(14,2) NOT NULL', value: 'i * 1.25' },
  { name: 'orders', type: 'int32', sql: 'integer NOT NULL', value: '0' },
  { name: 'name', type: 'string', sql: 'text NOT NULL', value: "'Customer ' || i || ' Ltd.'" },
  { name: 'street', type: 'string', sql: 'text NOT NULL', value: "i || ' Station Road'" },
  { name: 'city', type: 'string', sql: 'text NOT NULL', value: "'City ' || i % 500" },
  { name: 'credit_limit', type: 'decimal(14,2)', sql: 'numeric(14,2) NOT NULL', value: '10000' },
  { name: 'discount', type: 'numeric', sql: 'numeric NOT NULL', value: '0.025' },
  { name: 'created_at', type: 'timestamptz', sql: 'timestamptz NOT NULL', value: "now() - i * interval '1 minute'" },
  { name: 'updated_at', type: 'timestamptz', sql: 'timestamptz NOT NULL', value: 'now()' },
]

/** Below so many bytes the texts are cut, since the filler alone cannot give way so far. */
const WHOLE_TEXTS_BYTES = 400
const CUT_CHARS = 4
const EXTRA_CHARS = 4
const MD5_CHARS = 32

/** A key, names and addresses, a filler, amounts and times; beyond the twelfth, short texts and numbers. */
function columnList({ columns, bytes }: RowShape): readonly Column[] {
  const listed = COLUMN_LIST.slice(0, columns)
  const extra = Array.from({ length: columns - listed.length }, (_, index): Column => {
    const name = `extra_${index + 1}`
    return index % 2 === 0
      ? { name, type: 'string', sql: 'text NOT NULL', value: `left(md5(i || '${name}'), ${EXTRA_CHARS})` }
      : { name, type: 'int32', sql: 'integer NOT NULL', value: `(i + ${index}) % 10000` }
  })
  const isCut = bytes < WHOLE_TEXTS_BYTES
  const others = (isCut ? 10 : 60) + (isCut ? 7 : 20) * (listed.length - 5) + EXTRA_CHARS * extra.length
  return [...listed.map((column) => filled(column, Math.max(0, bytes - others), isCut)), ...extra]
}

function filled(column: Column, notesChars: number, isCut: boolean): Column {
  // Not repetitive: neither the server nor a topic shall make it smaller than real text is.
  if (column.name === 'notes') {
    const parts = Math.ceil(notesChars / (MD5_CHARS + 1))
    const text = `(SELECT string_agg(md5(i || '/' || part), ' ') FROM generate_series(1, ${parts}) AS part)`
    return { ...column, value: `left(coalesce(${text}, ''), ${notesChars})` }
  }
  return isCut && column.type === 'string' ? { ...column, value: `left(${column.value}, ${CUT_CHARS})` } : column
}

/** Column → declared type. */
export function columnsOf(shape: RowShape): Readonly<Record<string, string>> {
  return Object.fromEntries(columnList(shape).map(({ name, type }) => [name, type]))
}

/**
 * The table and what makes rows and changes. `bench_change` changes one or two columns of the row that the number of the change
 * chooses; the same number always makes the same choice.
 */
export function sourceSql(shape: RowShape = ROW_SHAPE): string {
  const columns = columnList(shape)
  const has = (name: string) => columns.some((column) => column.name === name)
  const touched = has('updated_at') ? ', updated_at = clock_timestamp()' : ''
  const amount = has('credit_limit') ? 'credit_limit' : 'balance'
  return `
CREATE TABLE customers (${columns.map(({ name, sql }) => `${name} ${sql}`).join(', ')}) WITH (fillfactor = 50);
ALTER TABLE customers REPLICA IDENTITY FULL;

CREATE FUNCTION bench_insert(first bigint, last bigint) RETURNS void LANGUAGE sql AS $$
  INSERT INTO customers SELECT ${columns.map(({ value }) => value).join(', ')} FROM generate_series(first, last) AS i
$$;

CREATE FUNCTION bench_change(number bigint, id bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  CASE number % 4
    WHEN 0 THEN UPDATE customers SET balance = (number % 10000000) / 100.0${touched} WHERE customer_id = id;
    WHEN 1 THEN UPDATE customers SET orders = number % 2000000000 WHERE customer_id = id;
    WHEN 2 THEN UPDATE customers SET email = 'customer.' || number || '@example.com'${touched} WHERE customer_id = id;
    ELSE UPDATE customers SET ${amount} = (number % 90000000) / 10.0 WHERE customer_id = id;
  END CASE;
END $$;

CREATE FUNCTION bench_key(number bigint, keys bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS
$$ SELECT 1 + abs(hashint8extended(number, 42) % keys) $$;

CREATE PROCEDURE bench_changes(first bigint, last bigint, keys bigint, transaction_rows integer) LANGUAGE plpgsql AS $$
BEGIN
  FOR number IN first .. last LOOP
    PERFORM bench_change(number, bench_key(number, keys));
    IF (number - first + 1) % transaction_rows = 0 THEN COMMIT; END IF;
  END LOOP;
END $$;
`
}

/** Rows number `first` to `last`. */
export async function insertRows(sql: postgres.Sql, first: number, last: number): Promise<void> {
  await sql`SELECT bench_insert(${first}::bigint, ${last}::bigint)`
}

const STEP_ROWS = 10_000

/** Makes changes number `first` to `first + count - 1`, committed in transactions of `transactionRows`. */
export async function makeChanges(
  sql: postgres.Sql,
  {
    first,
    count,
    keys,
    transactionRows,
  }: { readonly first: number; readonly count: number; readonly keys: number; readonly transactionRows: number },
  onDone: (done: number) => void,
): Promise<void> {
  const session = await sql.reserve()
  try {
    // How fast the backlog is made is not measured.
    await session`SET synchronous_commit = off`
    for (let done = 0; done < count; ) {
      const rows = Math.min(STEP_ROWS, count - done)
      const from = first + done
      await session.unsafe(`CALL bench_changes(${from}, ${from + rows - 1}, ${keys}, ${transactionRows})`)
      done += rows
      onDone(done)
    }
    await session`RESET synchronous_commit`
  } finally {
    session.release()
  }
}

const COMPARE_ROWS = 5_000

/**
 * Every column is compared, in a form that two servers write alike.
 * @param table of the destination
 * @returns how many rows differ, lack or are too many at the destination
 */
export async function countDifferences(
  source: postgres.Sql,
  destination: postgres.Sql,
  { shape = ROW_SHAPE, table = 'customers' }: { readonly shape?: RowShape; readonly table?: string } = {},
): Promise<number> {
  const row = rowText(Object.keys(columnsOf(shape)))
  const digests = async (sql: postgres.Sql, from: string) => {
    const found = new Map<string, string>()
    const rows = sql<{ key: string; digest: string }[]>`
      SELECT customer_id::text AS key, md5(${sql.unsafe(row)}) AS digest FROM ${sql.unsafe(from)}`
    for await (const part of rows.cursor(COMPARE_ROWS)) for (const { key, digest } of part) found.set(key, digest)
    return found
  }
  const [wanted, there] = await Promise.all([digests(source, 'customers'), digests(destination, table)])
  let differences = 0
  for (const [key, digest] of wanted) if (there.get(key) !== digest) differences++
  for (const key of there.keys()) if (!wanted.has(key)) differences++
  return differences
}

/** A function takes at most 100 arguments. */
const ARGUMENTS_MAX = 90

function rowText(columns: readonly string[]): string {
  const parts: string[] = []
  for (let at = 0; at < columns.length; at += ARGUMENTS_MAX)
    parts.push(`concat_ws('|', ${columns.slice(at, at + ARGUMENTS_MAX).join(', ')})`)
  return parts.join(" || '|' || ")
}
