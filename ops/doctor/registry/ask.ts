import type { Environment } from '../../process/environment.ts'
import { planSchemas } from '../../provision/schemas.ts'
import { ask, decided } from '../answer.ts'
import { type Finding, failed, ok, unasked } from '../finding.ts'
import { decideCompatibility, decideSchemas } from './schemas.ts'

const SUBJECT = 'registry'

/** Asks the registry about the schemas of the pipeline. Changes nothing. */
export async function lookAtRegistry({ declaration, registry }: Environment): Promise<readonly Finding[]> {
  const asked = <T>(question: Promise<T>) => ask('registry-unreachable', 'the schema registry', question)
  const beganMs = performance.now()
  const answered = await asked(registry.ping())
  if (answered.error)
    return [
      failed('registry-server', SUBJECT, answered.error),
      unasked('registry-schemas', SUBJECT, 'the registry does not answer'),
      unasked('registry-compatibility', SUBJECT, 'the registry does not answer'),
    ]
  const tookMs = Math.round(performance.now() - beganMs)
  const plans = await asked(planSchemas(registry, declaration.name, [...declaration.entities.values()]))
  // Provisioning sets the compatibility of a subject when it registers a schema there.
  const registered = plans.value?.filter(({ action }) => action === 'none').map(({ subject }) => subject) ?? []
  const levels = await asked(
    Promise.all(registered.map(async (subject) => ({ subject, level: await registry.compatibility(subject) }))),
  )
  return [
    ok('registry-server', SUBJECT, `answers within ${tookMs} ms`),
    ...decided('registry-schemas', SUBJECT, plans, (one) => decideSchemas(SUBJECT, one)),
    ...decided('registry-compatibility', SUBJECT, levels, (one) =>
      decideCompatibility(SUBJECT, one, declaration.registry.url),
    ),
  ]
}
