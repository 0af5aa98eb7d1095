import { systemCode } from '../../../schemas/errors.ts'
import { type CapturedTable, objectName } from '../captured-table.ts'
import { quoteName, type Sql } from '../connection.ts'
import { failure } from '../failure.ts'
import type { TableFacts } from './catalog.ts'
import { type Inspection, unsuitable } from './inspect.ts'

interface PublicationFacts {
  readonly operations: Readonly<Record<'insert' | 'update' | 'delete' | 'truncate', boolean>>
  readonly allTables: boolean
  readonly viaRoot: boolean
  readonly tables: readonly PublishedTable[]
}

interface PublishedTable {
  readonly schema: string
  readonly name: string
  readonly columns: readonly string[]
  readonly filtered: boolean
}

/** The first release whose publications can carry stored generated columns. */
const GENERATED_COLUMNS_VERSION = 180_000

/** The statement that makes the publication. Pure. */
export function createPublication(
  publication: string,
  inspection: Pick<Inspection, 'tables' | 'facts' | 'server'>,
): string {
  const generated = inspection.tables.some(
    (table, index) => generatedColumns(table, inspection.facts[index]!).length > 0,
  )
  const options = ["publish = 'insert, update, delete, truncate'", 'publish_via_partition_root = true']
  if (generated && inspection.server.version >= GENERATED_COLUMNS_VERSION)
    options.push('publish_generated_columns = stored')
  return `CREATE PUBLICATION ${quoteName(publication)} FOR TABLE ${inspection.tables.map(sqlName).join(', ')} WITH (${options.join(', ')})`
}

/** What is wrong with a publication that holds every captured table already. Pure. */
export function inspectPublication(
  publication: string,
  facts: PublicationFacts,
  inspection: Pick<Inspection, 'tables' | 'facts' | 'server'>,
): readonly string[] {
  const findings: string[] = []
  const name = quoteName(publication)
  const missing = Object.entries(facts.operations)
    .filter(([, published]) => !published)
    .map(([operation]) => operation)
  if (missing.length > 0)
    findings.push(
      `publication ${name} does not publish ${missing.join(', ')}. Run: ALTER PUBLICATION ${name} SET (publish = 'insert, update, delete, truncate')`,
    )
  if (!facts.viaRoot && inspection.tables.some((table) => table.partitioned))
    findings.push(
      `publication ${name} names partitions instead of their table. Run: ALTER PUBLICATION ${name} SET (publish_via_partition_root = true)`,
    )
  inspection.tables.forEach((table, index) => {
    const published = facts.tables.find((one) => isSame(one, table))
    if (published === undefined) return
    if (published.filtered)
      findings.push(
        `publication ${name} leaves out rows of ${objectName(table.table)} (WHERE). Make a publication without a filter for tributary`,
      )
    const generated = generatedColumns(table, inspection.facts[index]!)
    const absent = Object.values(table.columns).filter((column) => !published.columns.includes(column))
    if (absent.length === 0) return
    const remedy = absent.every((column) => generated.includes(column))
      ? inspection.server.version >= GENERATED_COLUMNS_VERSION
        ? `Run: ALTER PUBLICATION ${name} SET (publish_generated_columns = stored)`
        : 'PostgreSQL 18 is the first that can publish generated columns. Take the field out of the entity'
      : 'Take the column list out of the publication'
    findings.push(
      `publication ${name} leaves out ${absent.map(quoteName).join(', ')} of ${objectName(table.table)}. ${remedy}`,
    )
  })
  return findings
}

/** The statement that makes the publication hold every captured table; undefined when it does. */
export async function planPublication(
  sql: Sql,
  publication: string,
  inspection: Inspection,
): Promise<string | undefined> {
  return (await comparePublication(sql, publication, inspection)).statement
}

/** A publication beside the captured tables. */
export interface ComparedPublication {
  readonly exists: boolean
  /** Captured tables that it lacks, as `schema.table`. */
  readonly absent: readonly string[]
  /** What makes it hold every captured table; undefined when it does. */
  readonly statement: string | undefined
  /** What else is wrong with it, each with what to do. */
  readonly findings: readonly string[]
}

export async function comparePublication(
  sql: Sql,
  publication: string,
  inspection: Pick<Inspection, 'tables' | 'facts' | 'server'>,
): Promise<ComparedPublication> {
  const existing = await loadPublication(sql, publication)
  const names = (tables: readonly CapturedTable[]) => tables.map(({ table }) => objectName(table))
  if (existing === undefined) {
    const statement = createPublication(publication, inspection)
    return { exists: false, absent: names(inspection.tables), statement, findings: [] }
  }
  // A partitioned table may be in it through its partitions; adding it again would fail, and the inspection tells what to set.
  const absent = inspection.tables.filter(
    (table) =>
      !existing.allTables &&
      !(table.partitioned && !existing.viaRoot) &&
      !existing.tables.some((one) => isSame(one, table)),
  )
  return {
    exists: true,
    absent: names(absent),
    statement:
      absent.length > 0
        ? `ALTER PUBLICATION ${quoteName(publication)} ADD TABLE ${absent.map(sqlName).join(', ')}`
        : undefined,
    findings: inspectPublication(publication, existing, inspection),
  }
}

/**
 * Makes the publication, or adds the captured tables that it lacks.
 * @throws TributaryError `source-unsuitable` with the statement to run when this role may not, or when it publishes too little
 */
export async function preparePublication(
  sql: Sql,
  source: string,
  publication: string,
  inspection: Inspection,
): Promise<void> {
  const statement = await planPublication(sql, publication, inspection)
  if (statement !== undefined) await run(sql, source, statement)
  const facts = await loadPublication(sql, publication)
  const findings = facts
    ? inspectPublication(publication, facts, inspection)
    : [`publication ${quoteName(publication)} was dropped`]
  if (findings.length > 0) throw unsuitable(source, findings)
}

/** What is wrong with the publication as it is; nothing where it is still to be made. */
export async function examinePublication(
  sql: Sql,
  publication: string,
  inspection: Inspection,
): Promise<readonly string[]> {
  const facts = await loadPublication(sql, publication)
  return facts === undefined ? [] : inspectPublication(publication, facts, inspection)
}

/** SQLSTATEs: there is one by that name, or the table is in it; and the same said by the catalogue's index. */
const MADE_MEANWHILE: ReadonlySet<string> = new Set(['42710', '23505'])

async function run(sql: Sql, source: string, statement: string): Promise<void> {
  try {
    await sql.unsafe(statement)
  } catch (cause) {
    // Another capture process starts with this one and was quicker. Whether what it made suffices is looked at next.
    if (MADE_MEANWHILE.has(systemCode(cause) ?? '')) return
    const error = failure('preparing the publication', cause)
    if (error.fate === 'retry') throw error
    throw unsuitable(source, [`${error.message} Run as the tables' owner (a superuser can): ${statement}`], error)
  }
}

async function loadPublication(sql: Sql, publication: string): Promise<PublicationFacts | undefined> {
  const [row] = await sql<{ facts: PublicationFacts }[]>`
    SELECT json_build_object(
      'operations', json_build_object('insert', p.pubinsert, 'update', p.pubupdate, 'delete', p.pubdelete, 'truncate', p.pubtruncate),
      'allTables', p.puballtables, 'viaRoot', p.pubviaroot,
      'tables', (SELECT coalesce(json_agg(json_build_object('schema', t.schemaname, 'name', t.tablename,
          'columns', coalesce(to_jsonb(t) -> 'attnames', (SELECT jsonb_agg(a.attname) FROM pg_attribute a
            WHERE a.attrelid = format('%I.%I', t.schemaname, t.tablename)::regclass AND a.attnum > 0 AND a.attgenerated = '')),
          'filtered', to_jsonb(t) ->> 'rowfilter' IS NOT NULL)), '[]')
        FROM pg_publication_tables t WHERE t.pubname = p.pubname)) AS facts
    FROM pg_publication p WHERE p.pubname = ${publication}`
  return row?.facts
}

function isSame(published: PublishedTable, captured: CapturedTable): boolean {
  return published.schema === captured.table.schema && published.name === captured.table.name
}

function generatedColumns(table: CapturedTable, facts: TableFacts): readonly string[] {
  const declared = new Set(Object.values(table.columns))
  return facts.columns
    .filter((column) => column.generated !== '' && declared.has(column.name))
    .map((column) => column.name)
}

function sqlName(table: CapturedTable): string {
  return `${quoteName(table.table.schema)}.${quoteName(table.table.name)}`
}
