import { TributaryError } from '../../../schemas/errors.ts'
import { formatFieldType } from '../../../schemas/field-type.ts'
import { type CapturedTable, type LocatedTable, objectName } from '../captured-table.ts'
import { quoteName, type Sql } from '../connection.ts'
import { assessShape } from './assess.ts'
import { type ColumnFacts, loadServer, loadTables, loadTypes, type ServerFacts, type TableFacts } from './catalog.ts'
import { isKeyType, misfit, type Types } from './column-fit.ts'
import { placeOf } from './place.ts'

/** PostgreSQL 14 is the oldest release that is still maintained. */
const VERSION_MIN = 140_000

/** What is wrong with the server for capture, each with what to do. Pure. */
export function inspectServer(server: ServerFacts): readonly string[] {
  const findings: string[] = []
  if (server.version < VERSION_MIN)
    findings.push(`the server is PostgreSQL ${Math.floor(server.version / 10_000)}; 14 or newer is needed`)
  if (server.walLevel !== 'logical')
    findings.push(`wal_level is ${server.walLevel}. Run: ALTER SYSTEM SET wal_level = logical; then restart the server`)
  findings.push(...inspectRole(server))
  if (server.encoding === 'SQL_ASCII')
    findings.push('the database is encoded SQL_ASCII, so its text may not be text at all. Move it to a UTF8 database')
  return findings
}

/** What its role lacks at the server, with what to do. Pure. */
export function inspectRole({ mayReplicate, role }: ServerFacts): readonly string[] {
  if (mayReplicate) return []
  const name = quoteName(role)
  return [
    `role ${name} may not replicate. Run: ALTER ROLE ${name} REPLICATION (Amazon RDS: GRANT rds_replication TO it)`,
  ]
}

/** pg_class.relkind of what may be taken for a table. */
const OTHER_KINDS: Readonly<Record<string, string>> = {
  v: 'a view',
  m: 'a materialized view',
  f: 'a foreign table',
  S: 'a sequence',
  i: 'an index',
  c: 'a type',
}

/** What is wrong with a table for capture, each with what to do. Pure. */
export function inspectTable(
  captured: CapturedTable,
  facts: TableFacts | undefined,
  server: ServerFacts,
  types: Types,
): readonly string[] {
  const name = objectName(captured.table)
  const sqlName = `${quoteName(captured.table.schema)}.${quoteName(captured.table.name)}`
  if (facts === undefined)
    return [`table ${name} does not exist. Create it, or correct the table of entity ${captured.entity.name}`]
  if (facts.kind !== 'r' && facts.kind !== 'p')
    return [
      `${name} is not a table but ${OTHER_KINDS[facts.kind] ?? 'something else'}, which has no log of changes. Capture the tables that it shows`,
    ]
  const findings: string[] = []
  if (facts.persistence === 't') findings.push(`table ${name} is temporary: no other session sees it`)
  else if (facts.persistence !== 'p')
    findings.push(`table ${name} is not logged. Run: ALTER TABLE ${sqlName} SET LOGGED`)
  const columns = new Map(facts.columns.map((column) => [column.name, column]))
  return [
    ...findings,
    ...inspectReading(captured, facts, server),
    ...inspectColumns(captured, columns, types),
    ...inspectKey(captured, facts, columns, sqlName),
  ]
}

/** What keeps the role from reading the rows of a table, each with what to do. Pure. */
export function inspectReading(captured: CapturedTable, facts: TableFacts, server: ServerFacts): readonly string[] {
  const name = objectName(captured.table)
  const sqlName = `${quoteName(captured.table.schema)}.${quoteName(captured.table.name)}`
  const findings: string[] = []
  if (!facts.mayRead)
    findings.push(
      `role ${quoteName(server.role)} may not read ${name}. Run: GRANT USAGE ON SCHEMA ${quoteName(captured.table.schema)} TO ` +
        `${quoteName(server.role)}; GRANT SELECT ON ${sqlName} TO ${quoteName(server.role)}`,
    )
  if (facts.rowSecurity && !server.bypassesRowSecurity)
    findings.push(
      `row security hides rows of ${name} from role ${quoteName(server.role)}. Run: ALTER ROLE ${quoteName(server.role)} BYPASSRLS`,
    )
  return findings
}

function inspectColumns(captured: CapturedTable, columns: ReadonlyMap<string, ColumnFacts>, types: Types): string[] {
  const findings: string[] = []
  const name = objectName(captured.table)
  for (const field of captured.entity.fields) {
    const wanted = captured.columns[field.name]
    const column = wanted === undefined ? undefined : columns.get(wanted)
    if (column === undefined) {
      findings.push(
        `table ${name} has no column ${quoteName(wanted ?? field.name)}, which field ${field.name} is read from`,
      )
      continue
    }
    const problem = misfit(field.type, column.typeOid, types)
    if (problem !== undefined)
      findings.push(
        `column ${name}.${column.name} ${problem}. Field ${field.name} is declared ${formatFieldType(field.type)}`,
      )
    if (column.generated === 'v')
      findings.push(`column ${name}.${column.name} is generated when read, so it is not in the log. Make it STORED`)
  }
  return findings
}

/** What is wrong with a table's key and with how the log names its rows, each with what to do. Pure. */
export function inspectKey(
  captured: CapturedTable,
  facts: TableFacts,
  columns: ReadonlyMap<string, ColumnFacts>,
  sqlName: string,
): string[] {
  const findings: string[] = []
  const name = objectName(captured.table)
  const fields = new Map(captured.entity.fields.map((field) => [field.name, field]))
  const key: string[] = []
  for (const part of captured.entity.key) {
    const field = fields.get(part)
    const column = columns.get(captured.columns[part] ?? '')
    // A key column that does not exist was already reported.
    if (field === undefined || column === undefined) return findings
    if (!isKeyType(field.type))
      findings.push(`field ${part} is ${formatFieldType(field.type)}, which cannot be part of a key`)
    if (!column.notNull)
      findings.push(
        `key column ${name}.${column.name} may be null. Run: ALTER TABLE ${sqlName} ALTER ${quoteName(column.name)} SET NOT NULL`,
      )
    key.push(column.name)
  }
  const keyList = key.map(quoteName).join(', ')
  if (!facts.uniqueKeys.some((unique) => sameSet(unique, key)))
    findings.push(
      `the key (${keyList}) of ${name} is not unique. Run: ALTER TABLE ${sqlName} ADD PRIMARY KEY (${keyList}), or ADD UNIQUE (${keyList})`,
    )
  return [...findings, ...inspectIdentities(facts, key)]
}

/** Where the log does not say which row a change is about, each with what to do. @param key the key's columns. Pure. */
export function inspectIdentities(facts: Pick<TableFacts, 'identities'>, key: readonly string[]): readonly string[] {
  const keyList = key.map(quoteName).join(', ')
  return facts.identities
    .filter(({ kind, columns }) => kind !== 'f' && !key.every((column) => columns.includes(column)))
    .map(
      (identity) =>
        `the log does not say which row of ${identity.table} an update or delete is about: its replica identity ` +
        `${identity.columns.length === 0 ? 'is empty' : `(${identity.columns.map(quoteName).join(', ')}) lacks the key (${keyList})`}. ` +
        `Run: ALTER TABLE ${identity.table} REPLICA IDENTITY FULL`,
    )
}

function sameSet(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((item) => right.includes(item))
}

/** A row of the log goes to one entity. Pure. */
export function inspectSharing(captured: readonly CapturedTable[]): readonly string[] {
  const seen = new Map<string, string>()
  return captured.flatMap(({ entity, table }) => {
    const name = objectName(table)
    const other = seen.get(name)
    seen.set(name, entity.name)
    return other === undefined
      ? []
      : [`table ${name} is captured by entities ${other} and ${entity.name}; one of them must go`]
  })
}

/** What works, and not as one may expect: without a full replica identity, or with tables that inherit. Pure. */
export function identityNotices(
  source: string,
  inspection: Pick<Inspection, 'tables' | 'facts'>,
): readonly { readonly code: string; readonly message: string }[] {
  const shapes = inspection.facts.flatMap((facts, index) =>
    facts.heirs.length === 0
      ? []
      : assessShape(objectName(inspection.tables[index]!.table), { kind: 'r', heirs: facts.heirs }),
  )
  const identities = inspection.facts.flatMap((facts) =>
    facts.identities
      .filter((identity) => identity.kind !== 'f')
      .map((identity) => ({
        code: 'replica-identity-not-full',
        message:
          `source "${source}": the log has no old values of ${identity.table}, so deltas cannot say which fields changed, and large ` +
          `unchanged values are read again. Better: ALTER TABLE ${identity.table} REPLICA IDENTITY FULL`,
      })),
  )
  return [
    ...identities,
    ...shapes.map((note) => ({ code: 'rows-not-captured', message: `source "${source}": ${note}` })),
  ]
}

export interface Inspection {
  readonly server: ServerFacts
  readonly tables: readonly LocatedTable[]
  readonly facts: readonly TableFacts[]
  readonly types: Types
}

export interface Examined {
  readonly captured: CapturedTable
  readonly facts: TableFacts | undefined
  readonly findings: readonly string[]
}

/** Looks at the server and every captured table. */
export async function examine(
  sql: Sql,
  captured: readonly CapturedTable[],
): Promise<{
  readonly server: ServerFacts
  readonly types: Types
  /** What is wrong with the server, or with what is captured as a whole. */
  readonly serverFindings: readonly string[]
  readonly tables: readonly Examined[]
}> {
  const server = await loadServer(sql)
  const found = await loadTables(
    sql,
    captured.map(({ table }) => table),
  )
  const types = await loadTypes(
    sql,
    found.flatMap((facts) => facts?.columns.map((column) => column.typeOid) ?? []),
  )
  return {
    server,
    types,
    serverFindings: [...inspectServer(server), ...inspectSharing(captured)],
    tables: captured.map((one, index) => ({
      captured: one,
      facts: found[index],
      findings: inspectTable(one, found[index], server, types),
    })),
  }
}

/**
 * Checks the server and every captured table.
 * @throws TributaryError `source-unsuitable` with all findings at once
 */
export async function inspect(sql: Sql, source: string, captured: readonly CapturedTable[]): Promise<Inspection> {
  const { server, types, serverFindings, tables } = await examine(sql, captured)
  const findings = [...serverFindings, ...tables.flatMap((table) => table.findings)]
  if (findings.length > 0) throw unsuitable(source, findings)
  return { server, types, ...locateAll(tables, types) }
}

/** Tables without findings, as they stand in the catalogue. */
export function locateAll(tables: readonly Examined[], types: Types): Pick<Inspection, 'tables' | 'facts'> {
  const facts = tables.flatMap((table) => table.facts ?? [])
  return { facts, tables: tables.map(({ captured }, index) => locate(captured, facts[index]!, types)) }
}

function locate(captured: CapturedTable, facts: TableFacts, types: Types): LocatedTable {
  const columns = new Map(facts.columns.map((column) => [column.name, column]))
  const ofFields = (value: (column: ColumnFacts) => string) =>
    Object.fromEntries(
      captured.entity.fields.map((field) => [field.name, value(columns.get(captured.columns[field.name]!)!)]),
    )
  return {
    ...captured,
    oid: facts.oid,
    partitioned: facts.kind === 'p',
    typeNames: ofFields((column) => column.typeName),
    places: ofFields((column) => placeOf(facts.oid, column, types)),
  }
}

/** One error that lists every finding. */
export function unsuitable(source: string, findings: readonly string[], cause?: unknown): TributaryError {
  const list = findings.length === 1 ? findings[0]! : `\n${findings.map((finding) => `- ${finding}`).join('\n')}`
  return new TributaryError('source-unsuitable', `source "${source}" cannot be captured as declared: ${list}`, {
    cause,
  })
}
