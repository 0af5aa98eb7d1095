import { type AvroObject, deltaSchema, valueSubject } from '../../schemas/avro.ts'
import { type Incompatibility, incompatibilities } from '../../schemas/compatibility.ts'
import type { Entity } from '../../schemas/entity.ts'
import { TributaryError } from '../../schemas/errors.ts'
import type { Registry } from '../../schemas/registry.ts'
import { entityTopic } from '../../schemas/topics.ts'

/** What has to be done at the registry for one entity. */
export interface SchemaPlan {
  readonly entity: string
  readonly subject: string
  readonly schema: AvroObject
  readonly action: 'register' | 'none'
  /** Why it cannot be registered; empty when it can. */
  readonly problems: readonly Incompatibility[]
}

/**
 * Compares every entity with what the registry holds. Changes nothing.
 * @throws TributaryError `registry-unreachable`, `declaration-invalid`
 */
export async function planSchemas(
  registry: Pick<Registry, 'idOf' | 'versions'>,
  prefix: string,
  entities: readonly Entity[],
): Promise<readonly SchemaPlan[]> {
  // All of them before the first request: a declaration that gives no schema is wrong whatever the registry holds.
  const plans = entities.map((entity) => ({
    entity: entity.name,
    subject: valueSubject(entityTopic(prefix, entity.name)),
    schema: deltaSchema(prefix, entity),
  }))
  const compared: SchemaPlan[] = []
  for (const plan of plans) compared.push(await compareWithRegistry(registry, plan))
  return compared
}

async function compareWithRegistry(
  registry: Pick<Registry, 'idOf' | 'versions'>,
  plan: Pick<SchemaPlan, 'entity' | 'subject' | 'schema'>,
): Promise<SchemaPlan> {
  if ((await registry.idOf(plan.subject, plan.schema)) !== undefined) return { ...plan, action: 'none', problems: [] }
  const problems = incompatibilities(await registry.versions(plan.subject), plan.schema)
  return { ...plan, action: 'register', problems }
}

/**
 * Registers what the plans ask for. Nothing is registered while any of them has a problem.
 * @throws TributaryError `schema-incompatible` with the problems of all entities, `registry-unreachable`
 */
export async function applySchemas(registry: Pick<Registry, 'register'>, plans: readonly SchemaPlan[]): Promise<void> {
  const problems = plans.flatMap(({ entity, problems }) =>
    problems.map(({ why, suggestion }) => `${entity}: ${why}; ${suggestion}`),
  )
  if (problems.length > 0)
    throw new TributaryError('schema-incompatible', problems.join('\n'), {
      cause: new Error(`${problems.length} incompatible changes`),
    })
  for (const plan of plans) if (plan.action === 'register') await registry.register(plan.subject, plan.schema)
}
