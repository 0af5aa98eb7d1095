import type postgres from 'postgres'

export const ENTITY = 'customer'

/** Rows of about 1 kB as their text is: a key, names and addresses, a filler, amounts and times. Column → declared type. */
export const COLUMNS = {
  customer_id: 'int64',
  name: 'string',
  email: 'string',
  street: 'string',
  city: 'string',
  notes: 'string',
  balance: 'decimal(14,2)',
  credit_limit: 'decimal(14,2)',
  discount: 'numeric',
  orders: 'int32',
  created_at: 'timestamptz',
  updated_at: 'timestamptz',
} as const

/**
 * The tables and what makes changes. `bench_change` changes one or two columns of the row that the number of the change
 * chooses; the same number always makes the same choice.
 */
export const SOURCE_SQL = `
CREATE TABLE customers (
  customer_id bigint PRIMARY KEY, name text NOT NULL, email text NOT NULL, street text NOT NULL, city text NOT NULL,
  notes text NOT NULL, balance numeric(14,2) NOT NULL, credit_limit numeric(14,2) NOT NULL, discount numeric NOT NULL,
  orders integer NOT NULL, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL
) WITH (fillfactor = 50);
ALTER TABLE customers REPLICA IDENTITY FULL;

CREATE FUNCTION bench_change(number bigint, id bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  CASE number % 4
    WHEN 0 THEN UPDATE customers SET balance = (number % 10000000) / 100.0, updated_at = clock_timestamp() WHERE customer_id = id;
    WHEN 1 THEN UPDATE customers SET orders = number % 2000000000 WHERE customer_id = id;
    WHEN 2 THEN UPDATE customers SET email = 'customer.' || number || '@example.com', updated_at = clock_timestamp() WHERE customer_id = id;
    ELSE UPDATE customers SET credit_limit = (number % 90000000) / 10.0 WHERE customer_id = id;
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

/** Rows number `first` to `last`. */
export async function insertRows(sql: postgres.Sql, first: number, last: number): Promise<void> {
  await sql`
    INSERT INTO customers SELECT i, 'Customer ' || i || ' Ltd.', 'customer.' || i || '@example.com', i || ' Station Road', 'City ' || i % 500,
      -- Not repetitive: neither the server nor a topic shall make it smaller than real text is.
      left((SELECT string_agg(md5(i || '/' || part), ' ') FROM generate_series(1, 25) AS part), 800),
      i * 1.25, 10000, 0.025, 0, now() - i * interval '1 minute', now()
    FROM generate_series(${first}::bigint, ${last}::bigint) AS i`
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

/** What is compared row by row: every column in a form that two servers write alike. */
const ROW_TEXT = `concat_ws('|', ${Object.keys(COLUMNS).join(', ')})`
const COMPARE_ROWS = 5_000

/** @returns how many rows differ, lack or are too many at the destination */
export async function countDifferences(source: postgres.Sql, destination: postgres.Sql): Promise<number> {
  const digests = async (sql: postgres.Sql) => {
    const found = new Map<string, string>()
    const rows = sql<{ key: string; digest: string }[]>`
      SELECT customer_id::text AS key, md5(${sql.unsafe(ROW_TEXT)}) AS digest FROM customers`
    for await (const part of rows.cursor(COMPARE_ROWS)) for (const { key, digest } of part) found.set(key, digest)
    return found
  }
  const [wanted, there] = await Promise.all([digests(source), digests(destination)])
  let differences = 0
  for (const [key, digest] of wanted) if (there.get(key) !== digest) differences++
  for (const key of there.keys()) if (!wanted.has(key)) differences++
  return differences
}
