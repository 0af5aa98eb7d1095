import type { FieldType } from '../../schemas/field-type.ts'

export const KEY_COLUMN = 'tributary_key'
export const VERSION_COLUMN = 'tributary_version'
export const DELETED_AT_COLUMN = 'tributary_deleted_at'

/** A mapped column: its name, its declared type, and that type as PostgreSQL's `format_type` writes it. */
export interface Column {
  readonly name: string
  readonly type: FieldType
  readonly sqlType: string
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted
}

/** The column type of a declared type, spelt as `format_type` does, so that the catalogue can be compared with it. */
export function columnType(type: FieldType): string {
  switch (type.kind) {
    case 'array':
      return `${columnType(type.of)}[]`
    case 'string':
    case 'enum':
      return 'text'
    case 'int32':
      return 'integer'
    case 'int64':
      return 'bigint'
    case 'decimal':
      return `numeric(${type.precision},${type.scale})`
    case 'double':
      return 'double precision'
    case 'time':
      return 'time without time zone'
    case 'timestamp':
      return 'timestamp without time zone'
    case 'timestamptz':
      return 'timestamp with time zone'
    case 'bytes':
      return 'bytea'
    case 'json':
      return 'jsonb'
    case 'boolean':
    case 'numeric':
    case 'date':
    case 'uuid':
      return type.kind
  }
}
