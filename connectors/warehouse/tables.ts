import { createHash } from 'node:crypto'
import { TributaryError } from '../../schemas/errors.ts'
import type { DeletePolicy, EntityMapping } from '../destination.ts'
import { type ConditionalDeletion, resolveCondition } from './condition.ts'
import { type Column, columnType, quoteIdentifier, quoteLiteral } from './sql-names.ts'

/** Where a mapping's rows go, with every name quoted for SQL and ready to use. */
export interface Table {
  readonly target: string
  readonly deletion: DeletePolicy | ConditionalDeletion
  readonly columns: readonly Column[]
  /** Quoted and qualified. */
  readonly name: string
  readonly archiveTarget: string
  readonly archive: string
  readonly guard: string
  /** The target as an SQL string, as it stands in the guard table. */
  readonly targetLiteral: string
  /** Whether deletes may take rows away, so that only the guard table remembers their versions. */
  readonly removesRows: boolean
  /** Whether deletes may leave rows that are marked as deleted; those count as missing. */
  readonly marksRows: boolean
  /** Whether deletes may move rows to the archive. */
  readonly archivesRows: boolean
  /** The advisory lock under which rows are removed (exclusive) and made (shared); a signed 64-bit number. */
  readonly lockId: string
}

export const GUARD_TABLE = 'tributary_guard'

/** PostgreSQL cuts longer names without an error, so two of them could become one. */
const IDENTIFIER_BYTES_MAX = 63
/** PostgreSQL allows 1,600 columns in a table; four are ours. */
const COLUMNS_MAX = 1596

/**
 * The tables of a subscriber's mappings, by target.
 * @throws TributaryError `declaration-invalid` for names that PostgreSQL would cut, that tributary keeps for itself, or that clash
 */
export function resolveTables(schema: string, mappings: readonly EntityMapping[]): ReadonlyMap<string, Table> {
  checkName('schema', schema)
  const taken = new Map<string, string>([[GUARD_TABLE, "tributary's guard table"]])
  const tables = new Map<string, Table>()
  for (const mapping of mappings) {
    const table = resolveTable(schema, mapping)
    const names = table.archivesRows ? [table.target, table.archiveTarget] : [table.target]
    for (const name of names) {
      const owner = taken.get(name)
      if (owner !== undefined)
        throw invalid(
          `entity ${mapping.entity.name} needs the table ${schema}.${name}, which is ${owner}; choose another target`,
        )
      taken.set(name, `taken by entity ${mapping.entity.name}`)
    }
    tables.set(table.target, table)
  }
  for (const mapping of mappings) {
    if (typeof mapping.onDelete === 'string') continue
    const deletion = resolveCondition(mapping, mapping.onDelete, tables.get(mapping.onDelete.while.target))
    if ('fault' in deletion) throw invalid(`the condition of deletes of ${mapping.target} ${deletion.fault}`)
    tables.set(mapping.target, { ...tables.get(mapping.target)!, deletion })
  }
  return tables
}

function policiesOf({ onDelete }: EntityMapping): ReadonlySet<DeletePolicy> {
  return new Set(typeof onDelete === 'string' ? [onDelete] : [onDelete.policy, onDelete.otherwise])
}

function resolveTable(schema: string, mapping: EntityMapping): Table {
  const { target, onDelete } = mapping
  const policies = policiesOf(mapping)
  const archiveTarget = `${target}_archive`
  checkName('target', policies.has('archive') ? archiveTarget : target)
  if (mapping.fields.length > COLUMNS_MAX)
    throw invalid(`${target} has ${mapping.fields.length} columns; PostgreSQL has room for ${COLUMNS_MAX}`)
  const seen = new Set<string>()
  for (const { to } of mapping.fields) {
    checkName(`column of ${target}`, to)
    if (to.startsWith('tributary_'))
      throw invalid(`column ${target}.${to}: names that begin with tributary_ are kept for tributary; choose another`)
    if (seen.has(to)) throw invalid(`column ${target}.${to} is filled from two fields; map one of them`)
    seen.add(to)
  }
  const qualified = (name: string) => `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`
  return {
    target,
    // A condition looks at another table, so it is resolved when all are known.
    deletion: typeof onDelete === 'string' ? onDelete : onDelete.otherwise,
    columns: mapping.fields.map(({ to, type }) => ({ name: to, type, sqlType: columnType(type) })),
    name: qualified(target),
    archiveTarget,
    archive: qualified(archiveTarget),
    guard: qualified(GUARD_TABLE),
    targetLiteral: quoteLiteral(target),
    removesRows: policies.has('hard') || policies.has('archive'),
    marksRows: policies.has('soft'),
    archivesRows: policies.has('archive'),
    lockId: lockId(schema, target),
  }
}

/** A signed 64-bit advisory lock number for a name. Two names on one number would only wait for each other. */
export function lockId(schema: string, name: string): string {
  return createHash('sha256')
    .update(JSON.stringify(['tributary', 'warehouse', schema, name]))
    .digest()
    .readBigInt64BE(0)
    .toString()
}

function checkName(what: string, name: string): void {
  const bytes = Buffer.byteLength(name)
  if (bytes === 0 || name.includes('\0')) throw invalid(`${what} "${name}" is no name; choose another`)
  if (bytes > IDENTIFIER_BYTES_MAX)
    throw invalid(`${what} ${name} has ${bytes} bytes; PostgreSQL cuts names after ${IDENTIFIER_BYTES_MAX}`)
}

function invalid(message: string): TributaryError {
  return new TributaryError('declaration-invalid', `the warehouse cannot take this: ${message}`)
}
