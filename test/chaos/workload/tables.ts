import { onLocalStack } from '../../support/flow.ts'
import type { ComparedTable } from '../../support/rows.ts'

/** Four tables of different shapes, few keys each, so that sessions meet. */
export const SOURCE_SQL = `
  CREATE TYPE document_state AS ENUM ('draft', 'sent', 'void');
  CREATE TABLE accounts (id bigint PRIMARY KEY, name text, balance numeric(14,2), open boolean);
  ALTER TABLE accounts REPLICA IDENTITY FULL;
  CREATE TABLE articles (id bigint PRIMARY KEY, title text, body text, revision integer);
  ALTER TABLE articles ALTER body SET STORAGE EXTERNAL;
  CREATE TABLE stock (place text, item text, quantity integer, counted_on date, PRIMARY KEY (place, item));
  ALTER TABLE stock REPLICA IDENTITY FULL;
  CREATE TABLE documents (
    id uuid PRIMARY KEY, amount numeric(20,6), rate numeric, at timestamptz, local_at timestamp, day date, clock time,
    body jsonb, tags text[], numbers bigint[], days date[], raw bytea, state document_state, flag boolean, ratio double precision, small integer);
  ALTER TABLE documents REPLICA IDENTITY FULL;
  INSERT INTO accounts SELECT i, 'account ' || i, i, true FROM generate_series(1, 12) i;
  INSERT INTO articles SELECT i, 'article ' || i, repeat('x' || i, 6000), 0 FROM generate_series(1, 8) i;
  INSERT INTO stock SELECT 'p' || i % 3, 'i' || i, i, current_date FROM generate_series(1, 12) i;`

export const declare = (prefix: string) => `
${onLocalStack(prefix)}
sources:
  erp: { type: postgres, url: "\${ERP_URL}", snapshot: { chunkRows: 5 } }
entities:
  account:
    source: erp
    table: accounts
    key: id
    class: critical
    owner: test
    freshness: 15m
    partitions: 3
    fields: { id: int64, name: string, balance: 'decimal(14,2)', open: boolean }
  article:
    source: erp
    table: articles
    key: id
    owner: test
    freshness: 15m
    partitions: 2
    fields: { id: int64, title: string, body: string, revision: int32 }
  stock:
    source: erp
    table: stock
    key: [place, item]
    owner: test
    freshness: 15m
    partitions: 3
    fields: { place: string, item: string, quantity: int32, counted_on: date }
  document:
    source: erp
    table: documents
    key: id
    owner: test
    freshness: 15m
    partitions: 3
    fields:
      id: uuid
      amount: decimal(20,6)
      rate: numeric
      at: timestamptz
      local_at: timestamp
      day: date
      clock: time
      body: json
      tags: string[]
      numbers: int64[]
      days: date[]
      raw: bytes
      state: enum(draft,sent,void)
      flag: boolean
      ratio: double
      small: int32
subscribers:
  warehouse:
    type: warehouse
    url: "\${WAREHOUSE_URL}"
    entities:
      account: { table: accounts }
      article: { table: articles }
      stock: { table: stock }
      document: { table: documents }
`

export const TABLES: readonly (ComparedTable & { readonly entity: string })[] = [
  { entity: 'account', key: ['id'], columns: ['id', 'name', 'balance', 'open'], ...both('accounts') },
  { entity: 'article', key: ['id'], columns: ['id', 'title', 'body', 'revision'], ...both('articles') },
  {
    entity: 'stock',
    key: ['place', 'item'],
    columns: ['place', 'item', 'quantity', 'counted_on'],
    ...both('stock'),
  },
  {
    entity: 'document',
    key: ['id'],
    columns: [
      ...['id', 'amount', 'rate', 'at', 'local_at', 'day', 'clock', 'body', 'tags', 'numbers', 'days', 'raw', 'state'],
      ...['flag', 'ratio', 'small'],
    ],
    ...both('documents'),
  },
]

function both(name: string) {
  return { source: name, warehouse: name }
}
