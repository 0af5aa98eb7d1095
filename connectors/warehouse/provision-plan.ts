import { type Column, DELETED_AT_COLUMN, KEY_COLUMN, quoteIdentifier, VERSION_COLUMN } from './sql-names.ts'
import { GUARD_TABLE, type Table } from './tables.ts'

/** What the catalogue says of one table. */
export interface TableFacts {
  /** Column name → type as `format_type` writes it. */
  readonly columns: ReadonlyMap<string, string>
  /** The columns of the primary key, in order; empty when there is none. */
  readonly primaryKey: readonly string[]
  /** The columns of its indexes, in order, of those that hold every row. */
  readonly indexes: readonly (readonly string[])[]
  /** The collation of the key column; null when it has none or is not there. */
  readonly keyCollation: string | null
  /** The rights among SELECT, INSERT, UPDATE, DELETE that this user lacks. */
  readonly rightsMissing: readonly string[]
}

export interface CatalogueFacts {
  readonly encoding: string
  /** Whether the server is a standby, which takes no changes. */
  readonly standby: boolean
  readonly schemaExists: boolean
  readonly tables: ReadonlyMap<string, TableFacts>
}

/** What provisioning would do, as SQL in order, and what it cannot set right by adding. */
export interface ProvisionPlan {
  readonly steps: readonly string[]
  readonly problems: readonly string[]
}

interface WantedTable {
  readonly name: string
  readonly columns: readonly { readonly name: string; readonly sqlType: string; readonly required: boolean }[]
  readonly primaryKey: readonly string[]
  /** Its rows are updated again and again, so its pages keep room for it: an update that stays on its page touches no index. */
  readonly isPatched?: true
}

const PATCHED_FILLFACTOR = 80

/** Compares what the mappings need with what is there. Adds tables and columns; never changes or drops one. */
export function planProvision(schema: string, tables: readonly Table[], facts: CatalogueFacts): ProvisionPlan {
  const steps: string[] = []
  const problems: string[] = []
  if (facts.encoding !== 'UTF8')
    problems.push(`the database's encoding is ${facts.encoding}; create one with ENCODING 'UTF8'`)
  if (facts.standby) problems.push('the server is a standby and takes no changes; give the address of the primary')
  if (!facts.schemaExists) steps.push(`CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(schema)}`)
  for (const wanted of wantedTables(tables)) {
    const present = facts.tables.get(wanted.name)
    if (present === undefined) steps.push(createTable(schema, wanted))
    else {
      problems.push(...problemsOf(schema, wanted, present))
      steps.push(...missingColumns(schema, wanted, present))
    }
  }
  steps.push(...missingIndexes(schema, tables, facts))
  return { steps, problems }
}

/**
 * The tables that conditions of deletes look at are looked into by the columns that refer. Without an index every delete would read
 * the whole table, and one that takes too long is an outage.
 */
function missingIndexes(schema: string, tables: readonly Table[], facts: CatalogueFacts): readonly string[] {
  const steps = tables.flatMap(({ deletion }) => {
    if (typeof deletion === 'string') return []
    const { target, refersBy } = deletion.condition
    const leads = (columns: readonly string[]) => {
      const first = columns.slice(0, refersBy.length)
      return refersBy.every((name) => first.includes(name))
    }
    if (facts.tables.get(target)?.indexes.some(leads)) return []
    return [
      `CREATE INDEX ON ${quoteIdentifier(schema)}.${quoteIdentifier(target)} (${refersBy.map(quoteIdentifier).join(', ')})`,
    ]
  })
  return [...new Set(steps)]
}

function wantedTables(tables: readonly Table[]): readonly WantedTable[] {
  const wanted = tables.flatMap((table) => {
    const deletedAt = table.marksRows ? [DELETED_AT] : []
    const live: WantedTable = {
      name: table.target,
      columns: [...HEAD, ...deletedAt, ...table.columns.map(mapped)],
      primaryKey: [KEY_COLUMN],
      isPatched: true,
    }
    if (!table.archivesRows) return [live]
    const archive: WantedTable = {
      name: table.archiveTarget,
      columns: [...HEAD, DELETED_AT, ...table.columns.map(mapped)],
      primaryKey: [KEY_COLUMN, VERSION_COLUMN],
    }
    return [live, archive]
  })
  return tables.some(({ removesRows }) => removesRows) ? [GUARD, ...wanted] : wanted
}

/** The key is text whatever the entity's key type: as a number, 1.0 and 1.00 would be one row and are two record keys. */
const HEAD = [
  { name: KEY_COLUMN, sqlType: 'text', required: true },
  { name: VERSION_COLUMN, sqlType: 'bytea', required: true },
] as const

const DELETED_AT = { name: DELETED_AT_COLUMN, sqlType: 'timestamp with time zone', required: false } as const

const GUARD: WantedTable = {
  name: GUARD_TABLE,
  columns: [
    { name: 'target', sqlType: 'text', required: true },
    ...HEAD,
    { name: 'deleted_at', sqlType: 'timestamp with time zone', required: true },
  ],
  primaryKey: ['target', KEY_COLUMN],
}

/** Mapped columns take nulls: an entity's field may be null, or not known yet. */
function mapped({ name, sqlType }: Column) {
  return { name, sqlType, required: false }
}

function createTable(schema: string, wanted: WantedTable): string {
  const columns = wanted.columns.map(
    ({ name, sqlType, required }) =>
      `${quoteIdentifier(name)} ${sqlType}${name === KEY_COLUMN ? ' COLLATE "C"' : ''}${required ? ' NOT NULL' : ''}`,
  )
  const primaryKey = `PRIMARY KEY (${wanted.primaryKey.map(quoteIdentifier).join(', ')})`
  const options = wanted.isPatched ? ` WITH (fillfactor = ${PATCHED_FILLFACTOR})` : ''
  return `CREATE TABLE ${quoteIdentifier(schema)}.${quoteIdentifier(wanted.name)} (${[...columns, primaryKey].join(', ')})${options}`
}

function missingColumns(schema: string, wanted: WantedTable, present: TableFacts): readonly string[] {
  const added = wanted.columns.filter(({ name, required }) => !required && !present.columns.has(name))
  if (added.length === 0) return []
  const clauses = added.map(({ name, sqlType }) => `ADD COLUMN ${quoteIdentifier(name)} ${sqlType}`)
  return [`ALTER TABLE ${quoteIdentifier(schema)}.${quoteIdentifier(wanted.name)} ${clauses.join(', ')}`]
}

function problemsOf(schema: string, wanted: WantedTable, present: TableFacts): readonly string[] {
  const name = `${schema}.${wanted.name}`
  const missing = wanted.columns.find(({ name: column, required }) => required && !present.columns.has(column))
  if (missing !== undefined)
    return [
      `table ${name} exists without the column ${missing.name}, so tributary did not make it; rename it or map to another target`,
    ]
  const problems: string[] = []
  for (const { name: column, sqlType } of wanted.columns) {
    const actual = present.columns.get(column)
    if (actual !== undefined && actual !== sqlType)
      problems.push(
        `column ${name}.${column} is ${actual} and has to be ${sqlType}; alter or rename the column, or declare the field's type to match`,
      )
  }
  if (present.keyCollation !== 'C' && present.columns.get(KEY_COLUMN) === 'text')
    problems.push(`column ${name}.${KEY_COLUMN} has the collation ${present.keyCollation}; give it COLLATE "C"`)
  if (present.primaryKey.join() !== wanted.primaryKey.join())
    problems.push(
      `table ${name} has the primary key (${present.primaryKey.join(', ')}) and needs (${wanted.primaryKey.join(', ')}); restore it`,
    )
  if (present.rightsMissing.length > 0)
    problems.push(
      `this user lacks ${present.rightsMissing.join(', ')} on table ${name}; grant ${present.rightsMissing.length > 1 ? 'them' : 'it'}`,
    )
  return problems
}
