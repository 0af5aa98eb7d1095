import { type KafkaAdmin, openAdmin } from '../../connectors/kafka/admin.ts'
import { openBlobStore } from '../process/blobs.ts'
import { openSource } from '../process/capture.ts'
import { openDestination } from '../process/delivery.ts'
import type { Environment } from '../process/environment.ts'
import { applySchemas, planSchemas, type SchemaPlan } from './schemas.ts'
import { COMPARED_CONFIGS, planTopics, type TopicPlan, wantedTopics } from './topics.ts'

/** One thing that provisioning does, or has found done. */
export interface PlanStep {
  readonly area: 'schema' | 'topic' | 'blobs' | 'source' | 'subscriber'
  readonly name: string
  /** What is to be done; null when all is as it should be. */
  readonly action: string | null
}

export interface ProvisionPlan {
  readonly steps: readonly PlanStep[]
  /**
   * Carries the plan out: schemas first, so that an incompatible one stops everything before anything is changed.
   * @param onDone called after each step that changed something
   */
  apply(onDone: (step: PlanStep) => void): Promise<void>
}

/**
 * Compares the declaration with what there is. Changes nothing until `apply` is called on what it returns.
 * @throws TributaryError with everything that forbids it: `schema-incompatible`, `source-unsuitable`, `destination-unsuitable`, …
 */
export async function planProvision(environment: Environment): Promise<ProvisionPlan> {
  const { declaration, kafka, registry } = environment
  const schemas = await planSchemas(registry, declaration.name, [...declaration.entities.values()])
  // With a problem in it this throws before anything is changed; without, it does nothing yet.
  await applySchemas(
    registry,
    schemas.filter(({ problems }) => problems.length > 0),
  )
  const admin = await openAdmin(kafka, declaration.kafka.brokers)
  try {
    const wanted = wantedTopics(declaration)
    const present = await admin.describeTopics(
      wanted.map(({ topic }) => topic),
      COMPARED_CONFIGS,
    )
    const topics = planTopics(wanted, present)
    const blobs = await planBlobs(environment)
    const sources = await planSources(environment)
    const subscribers = await planSubscribers(environment)
    const others = [...blobs, ...sources, ...subscribers]
    const steps = [...schemas.map(schemaStep), ...topics.map(topicStep), ...others]
    return { steps, apply: (onDone) => applyPlan(environment, schemas, topics, others, onDone) }
  } finally {
    await admin.close()
  }
}

async function applyPlan(
  environment: Environment,
  schemas: readonly SchemaPlan[],
  topics: readonly TopicPlan[],
  others: readonly PlanStep[],
  onDone: (step: PlanStep) => void,
): Promise<void> {
  const { declaration, kafka, registry } = environment
  for (const plan of schemas) {
    if (plan.action === 'none') continue
    await applySchemas(registry, [plan])
    onDone(schemaStep(plan))
  }
  const admin = await openAdmin(kafka, declaration.kafka.brokers)
  try {
    await applyTopics(admin, topics)
    for (const plan of topics) if (plan.action !== 'none') onDone(topicStep(plan))
  } finally {
    await admin.close()
  }
  for (const step of others) {
    if (step.action === null) continue
    if (step.area === 'blobs') await openBlobStore(declaration)?.provision()
    else if (step.area === 'source') await withSource(environment, step.name, (source) => source.prepare())
    else await withDestination(environment, step.name, (destination) => destination.provision())
    onDone(step)
  }
}

async function applyTopics(admin: KafkaAdmin, plans: readonly TopicPlan[]): Promise<void> {
  await admin.createTopics(plans.filter(({ action }) => action === 'create').map(({ topic }) => topic))
  for (const plan of plans) if (plan.action === 'alter') await admin.alterTopic(plan.topic.topic, plan.changes)
}

async function planBlobs({ declaration }: Environment): Promise<PlanStep[]> {
  const store = openBlobStore(declaration)
  return store === null ? [] : [step('blobs', 'large values', await store.plan())]
}

async function planSources(environment: Environment): Promise<PlanStep[]> {
  const steps: PlanStep[] = []
  for (const name of environment.declaration.sources.keys())
    steps.push(step('source', name, await withSource(environment, name, (source) => source.plan())))
  return steps
}

async function planSubscribers(environment: Environment): Promise<PlanStep[]> {
  const steps: PlanStep[] = []
  for (const name of environment.declaration.subscribers.keys())
    steps.push(step('subscriber', name, await withDestination(environment, name, (destination) => destination.plan())))
  return steps
}

function step(area: PlanStep['area'], name: string, actions: readonly string[]): PlanStep {
  return { area, name, action: actions.length === 0 ? null : actions.join('; ') }
}

function schemaStep({ subject, action }: SchemaPlan): PlanStep {
  return { area: 'schema', name: subject, action: action === 'none' ? null : 'register a version' }
}

function topicStep(plan: TopicPlan): PlanStep {
  const { topic, partitions } = plan.topic
  if (plan.action === 'none') return { area: 'topic', name: topic, action: null }
  if (plan.action === 'create') return { area: 'topic', name: topic, action: `create with ${partitions} partitions` }
  const changes = Object.entries(plan.changes).map(([name, value]) => `${name}=${value}`)
  return { area: 'topic', name: topic, action: `set ${changes.join(', ')}` }
}

async function withSource<T>(
  environment: Environment,
  name: string,
  use: (source: ReturnType<typeof openSource>) => Promise<T>,
): Promise<T> {
  const source = openSource(environment, environment.declaration.sources.get(name)!)
  try {
    return await use(source)
  } finally {
    await source.close()
  }
}

async function withDestination<T>(
  environment: Environment,
  name: string,
  use: (destination: ReturnType<typeof openDestination>) => Promise<T>,
): Promise<T> {
  const destination = openDestination(environment.declaration.subscribers.get(name)!)
  try {
    return await use(destination)
  } finally {
    await destination.close()
  }
}
