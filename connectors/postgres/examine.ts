import { type CapturedTable, objectName } from './captured-table.ts'
import { assessIdentity, assessShape, type IdentityAssessment } from './catalog/assess.ts'
import { examine, type Inspection, locateAll } from './catalog/inspect.ts'
import { examinePublication } from './catalog/publication.ts'
import { openPool } from './connection.ts'
import { failure } from './failure.ts'

/** What a source's database says to its declaration. */
export interface SourceExamination {
  readonly name: string
  /** Why the database could not be asked; null when it was. */
  readonly unreachable: string | null
  /** What forbids capture and belongs to no one table, each with what to do. */
  readonly findings: readonly string[]
  readonly tables: readonly TableExamination[]
}

export interface TableExamination {
  readonly entity: string
  readonly table: string
  /** The key's columns. */
  readonly key: readonly string[]
  /** Null where there is no such table. */
  readonly identity: IdentityAssessment | null
  /** What forbids capture, each with what to do. */
  readonly findings: readonly string[]
  /** What is good to know. */
  readonly notes: readonly string[]
}

export interface ExaminedSource {
  readonly name: string
  readonly url: string
  readonly publication: string
  readonly entities: readonly CapturedTable[]
}

const CLOSE_WAIT_SECONDS = 2

/** Asks a source's database once about everything that capture rests on, and changes nothing. Never throws what a database answers. */
export async function examineSource(source: ExaminedSource): Promise<SourceExamination> {
  const { name, url, publication, entities } = source
  const sql = openPool(url, `tributary validate ${name}`)
  try {
    const { server, types, serverFindings, tables } = await examine(sql, entities)
    const described = tables.map(({ captured, facts, findings }): TableExamination => {
      const key = captured.entity.key.map((field) => captured.columns[field]!)
      const table = objectName(captured.table)
      const isTable = facts !== undefined && (facts.kind === 'r' || facts.kind === 'p')
      return {
        entity: captured.entity.name,
        table,
        key,
        identity: isTable ? assessIdentity(facts, key) : null,
        findings,
        notes: isTable ? assessShape(table, facts) : [],
      }
    })
    const suits = serverFindings.length === 0 && tables.every(({ findings }) => findings.length === 0)
    const inspection: Inspection | undefined = suits ? { server, types, ...locateAll(tables, types) } : undefined
    // What a publication leaves out can only be told of tables that are there.
    const published = inspection === undefined ? [] : await examinePublication(sql, publication, inspection)
    return { name, unreachable: null, findings: [...serverFindings, ...published], tables: described }
  } catch (raised) {
    const error = failure(`checking source "${name}"`, raised)
    if (error.code === 'source-unsuitable') return { name, unreachable: null, findings: [error.message], tables: [] }
    if (error.code === 'source-unreachable') return { name, unreachable: error.message, findings: [], tables: [] }
    throw error
  } finally {
    await sql.end({ timeout: CLOSE_WAIT_SECONDS })
  }
}

/** Everything that forbids capture. */
export function findingsOf(examination: SourceExamination): readonly string[] {
  return [...examination.findings, ...examination.tables.flatMap(({ findings }) => findings)]
}
