import { onLocalErp } from '../support/flow.ts'
/** The one table of {@link CUSTOMERS}, from a source `erp`. */
export const CUSTOMER_ENTITY = `entities:
  customer:
    source: erp
    table: customers
    key: id
    owner: sales
    freshness: 15m
    partitions: 3
    fields: { id: int64, name: { type: string, personal: true }, credit: 'decimal(12,2)', note: string }`

/** A pipeline of one table. What a test of bad input makes wrong is replaced in this text. */
export const declareCustomers = (prefix: string) => `
${onLocalErp(prefix)}
${CUSTOMER_ENTITY}
subscribers:
  warehouse:
    type: warehouse
    url: "\${WAREHOUSE_URL}"
    entities: { customer: { table: customers } }
`

export const CUSTOMERS = `
CREATE TABLE customers (id bigint PRIMARY KEY, name text, credit numeric(12,2), note text);
ALTER TABLE customers REPLICA IDENTITY FULL;
INSERT INTO customers SELECT i, 'Persona ' || i, i * 1.25, NULL FROM generate_series(1, 20) i;
`
