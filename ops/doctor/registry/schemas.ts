import { COMPATIBILITY } from '../../../schemas/registry.ts'
import { withoutSecrets } from '../../cli/report.ts'
import type { SchemaPlan } from '../../provision/schemas.ts'
import { counted, type Finding, fail, gather, ok, orElse } from '../finding.ts'

/** Whether the declared schemas are registered, or can be. Pure. */
export function decideSchemas(subject: string, plans: readonly SchemaPlan[]): readonly Finding[] {
  const name = 'registry-schemas'
  const open = plans.filter(({ action }) => action === 'register')
  const unregistered = open
    .filter(({ problems }) => problems.length === 0)
    .map(({ entity, subject }) => {
      return fail(name, subject, `the schema of ${entity}, as declared, is not registered`, 'tributary provision')
    })
  const refused = open.flatMap(({ entity, subject, problems }) =>
    problems.map(({ why, suggestion }) =>
      fail(name, subject, `the schema of ${entity} cannot be registered: ${why}`, suggestion),
    ),
  )
  const findings = [...gather(unregistered, subject, 'declared schemas are not registered'), ...refused]
  return orElse(findings, ok(name, subject, `${counted(plans.length, 'schema')} registered as declared`))
}

export interface SubjectLevel {
  readonly subject: string
  readonly level: string
}

/** Whether nobody can register what old records would not survive. @param url of the registry. Pure. */
export function decideCompatibility(subject: string, levels: readonly SubjectLevel[], url: string): readonly Finding[] {
  const name = 'registry-compatibility'
  const base = withoutSecrets(url).replace('***@', '').replace(/\/+$/, '')
  const findings = levels
    .filter(({ level }) => level !== COMPATIBILITY)
    .map((one) => {
      const found = `compatibility is ${one.level}: a schema could be registered that old records cannot be read with`
      const command =
        `curl -X PUT ${base}/config/${encodeURIComponent(one.subject)} \\\n` +
        `-H 'content-type: application/vnd.schemaregistry.v1+json' \\\n` +
        `-d '{"compatibility":"${COMPATIBILITY}"}'`
      return fail(name, one.subject, found, command)
    })
  return orElse(findings, ok(name, subject, `${COMPATIBILITY}, ${counted(levels.length, 'subject')}`))
}
