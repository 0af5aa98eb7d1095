import { objectName } from '../../../connectors/postgres/captured-table.ts'
import { assessIdentity } from '../../../connectors/postgres/catalog/assess.ts'
import type { ServerFacts } from '../../../connectors/postgres/catalog/catalog.ts'
import {
  type Examined,
  inspectIdentities,
  inspectReading,
  inspectSharing,
} from '../../../connectors/postgres/catalog/inspect.ts'
import type { ComparedPublication } from '../../../connectors/postgres/catalog/publication.ts'
import { counted, type Finding, fail, ok, orElse, warn } from '../finding.ts'
import { refusals } from './server.ts'

/** Whether each table fits its declaration. Its rights and its replica identity are checks of their own. Pure. */
export function decideTables(source: string, server: ServerFacts, tables: readonly Examined[]): readonly Finding[] {
  const shared = refusals('source-tables', source, inspectSharing(tables.map(({ captured }) => captured)))
  const findings = tables.flatMap((table) => {
    const elsewhere =
      table.facts === undefined
        ? []
        : [...inspectReading(table.captured, table.facts, server), ...inspectIdentities(table.facts, keyOf(table))]
    const own = table.findings.filter((finding) => !elsewhere.includes(finding))
    return refusals('source-tables', subjectOf(source, table), own)
  })
  const well = `${counted(tables.length, 'table')} with the declared columns, types and keys`
  return orElse([...shared, ...findings], ok('source-tables', source, well))
}

/** What each table's replica identity costs. Pure. */
export function decideIdentity(source: string, tables: readonly Examined[]): readonly Finding[] {
  const looked = tables.filter(({ facts }) => facts !== undefined && ['r', 'p'].includes(facts.kind))
  const findings = looked.flatMap((table): Finding[] => {
    const facts = table.facts!
    const subject = subjectOf(source, table)
    const unnamed = inspectIdentities(facts, keyOf(table))
    if (unnamed.length > 0) return refusals('source-identity', subject, unnamed)
    const { identity, changedFields } = assessIdentity(facts, keyOf(table))
    if (changedFields === 'known') return []
    const todo = facts.identities
      .filter(({ kind }) => kind !== 'f')
      .map((one) => `ALTER TABLE ${one.table} REPLICA IDENTITY FULL`)
    const found = `${identity}: deltas do not say which fields changed, and large values that did not are read from the table again`
    return [warn('source-identity', subject, found, todo.join('\n'))]
  })
  return orElse(findings, ok('source-identity', source, `full, ${counted(looked.length, 'table')}`))
}

/** Whether all that is declared is published. Pure. */
export function decidePublication(
  source: string,
  publication: string,
  compared: ComparedPublication,
): readonly Finding[] {
  const { exists, absent, statement, findings } = compared
  const todo = `tributary provision${statement === undefined || absent.length === 0 ? '' : `\nor, as the owner of the tables: ${statement}`}`
  if (!exists)
    return [
      fail('source-publication', source, `publication "${publication}" is not there: nothing can be captured`, todo),
    ]
  const missing = absent.map((table) =>
    fail(
      'source-publication',
      `${source} ${table}`,
      `not in publication "${publication}": its changes are not captured`,
      todo,
    ),
  )
  const well = `"${publication}" publishes all that is declared`
  return orElse(
    [...missing, ...refusals('source-publication', source, findings)],
    ok('source-publication', source, well),
  )
}

function keyOf({ captured }: Examined): readonly string[] {
  return captured.entity.key.map((field) => captured.columns[field]!)
}

function subjectOf(source: string, { captured }: Examined): string {
  return `${source} ${objectName(captured.table)}`
}
