import { checkDeclaration } from '../../../ops/declaration/declaration.ts'
import { formatProblem } from '../../../ops/declaration/problem.ts'

/** The smallest pipeline that uses every section. Tests change a line of it and look at what is found. */
export const PIPELINE = `name: acme
kafka:
  brokers: kafka:9092
registry: { url: http://registry:8081 }
redis: { url: redis://redis:6379 }
ledger: { fingerprintKey: \${FINGERPRINT_KEY} }
sources:
  erp:
    type: postgres
    url: \${ERP_URL}
entities:
  customer:
    source: erp
    table: public.customers
    key: id
    owner: sales
    freshness: 15m
    fields:
      id: int64
      name: { type: string, personal: true, column: cust_name }
      extra: json
  order-line:
    source: erp
    table: order_lines
    key: [order_id, line]
    owner: orders
    freshness: 30s
    fields: { order_id: uuid, line: int32 }
subscribers:
  warehouse:
    type: warehouse
    url: \${WAREHOUSE_URL}
    entities:
      customer: { fields: { id: id, full_name: name } }
      order-line:
`

export const ENVIRONMENT = {
  FINGERPRINT_KEY: 'a-key-that-is-long-enough-to-be-used',
  ERP_URL: 'postgres://capture:s3cret@erp.example:5432/erp',
  WAREHOUSE_URL: 'postgres://deliver:s3cret@warehouse.example/dwh',
}

/** The pipeline with some of its text replaced, each of which must occur. */
export function changed(...changes: readonly (readonly [from: string, to: string])[]): string {
  return changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the pipeline does not contain ${JSON.stringify(from)}`)
    return text.replace(from, () => to)
  }, PIPELINE)
}

/** What is found in a text, as lines. */
export function findings(text: string, env: Readonly<Record<string, string>> = ENVIRONMENT): readonly string[] {
  return checkDeclaration(text, 'p.yaml', env, noSecretFiles).problems.map(formatProblem)
}

function noSecretFiles(): string {
  throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
}

/** A pipeline with something wrong in it, and what is found. */
export interface Case {
  readonly title: string
  readonly changes: readonly (readonly [from: string, to: string])[]
  readonly found: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** Every type of a field, as messages list them. */
export const TYPES =
  'string, boolean, int32, int64, numeric, double, date, time, timestamp, timestamptz, uuid, bytes, json, decimal(p,s), enum(a,b,…), any of these followed by []'
