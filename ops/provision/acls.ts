import { commandsTopic, deadLetterTopic, positionsTopic, producerName } from '../../schemas/topics.ts'
import type { Declaration } from '../declaration/declaration.ts'
import { topicsOf } from '../process/capture.ts'
import { groupsOf } from '../process/delivery.ts'
import { wantedTopics } from './topics.ts'

export type AclOperation = 'Read' | 'Write' | 'Create' | 'Describe' | 'DescribeConfigs' | 'AlterConfigs'
export type AclResource = 'topic' | 'group' | 'transactional-id' | 'cluster'

/** What a principal may do with one resource. */
export interface Acl {
  readonly principal: string
  readonly resource: AclResource
  /** Of the cluster, of which there is one, the name that Kafka has for it. */
  readonly name: string
  /** `prefixed`: with every resource whose name begins so. */
  readonly pattern: 'literal' | 'prefixed'
  readonly operations: readonly AclOperation[]
}

type Grant = Omit<Acl, 'principal'>

const CLUSTER = 'kafka-cluster'

/** A look whether topics are there asks for their settings too, and fails without the right to them. */
const LOOK = ['Describe', 'DescribeConfigs'] as const
const READ = ['Read', 'Describe'] as const
const WRITE = ['Write', 'Describe'] as const

/**
 * The least that each process of a pipeline needs of a Kafka that asks for permission, and the least for its people. From Kafka 3.0 on a
 * producer needs no right of the cluster's beside the one to write to its topics.
 * @param principalPrefix what stands before the names, such as `User:`
 */
export function planAcls(declaration: Declaration, principalPrefix: string): readonly Acl[] {
  const { name, sources, subscribers } = declaration
  const processes: readonly (readonly [process: string, grants: readonly Grant[]])[] = [
    ...[...sources.keys()].map((source) => [`capture-${source}`, captureGrants(declaration, source)] as const),
    ...[...subscribers.keys()].map((one) => [`deliver-${one}`, deliverGrants(declaration, one)] as const),
    ['exporter', exporterGrants(declaration)],
    ['provision', provisionGrants(declaration)],
    ['operator', operatorGrants(declaration)],
  ]
  return processes.flatMap(([process, grants]) =>
    grants.map((grant) => ({ principal: `${principalPrefix}${name}-${process}`, ...grant })),
  )
}

/** It reads back what it writes: where it was, its dead letters, and an entity's topic for a key sweep or a TRUNCATE. */
function captureGrants(declaration: Declaration, source: string): readonly Grant[] {
  return [
    ...topicsOf(declaration, source).map((topic) => grant('topic', topic, ['Read', 'Write', ...LOOK])),
    // Its producer's name: a later producer of the source replaces it. No transaction is ever begun.
    grant('transactional-id', producerName(declaration.name, source), WRITE),
  ]
}

function deliverGrants(declaration: Declaration, subscriber: string): readonly Grant[] {
  const { name } = declaration
  return [
    ...entityTopicsOf(declaration, subscriber).map((topic) => grant('topic', topic, ['Read', ...LOOK])),
    // Letters that are due and commands are read, letters and answers written.
    ...[deadLetterTopic(name, subscriber), commandsTopic(name, subscriber)].map((topic) =>
      grant('topic', topic, ['Read', ...WRITE]),
    ),
    ...groupIdsOf(declaration, subscriber).map((groupId) => grant('group', groupId, READ)),
  ]
}

/** Of what waits it reads the first record, for its age; of the dead letters all. */
function exporterGrants(declaration: Declaration): readonly Grant[] {
  const subscribers = [...declaration.subscribers.keys()]
  const taken = new Set(subscribers.flatMap((subscriber) => entityTopicsOf(declaration, subscriber)))
  const letters = subscribers.map((subscriber) => deadLetterTopic(declaration.name, subscriber))
  const groups = subscribers.flatMap((subscriber) => groupIdsOf(declaration, subscriber))
  return [
    ...[...taken, ...letters].map((topic) => grant('topic', topic, READ)),
    ...groups.map((groupId) => grant('group', groupId, ['Describe'])),
  ]
}

function provisionGrants(declaration: Declaration): readonly Grant[] {
  return wantedTopics(declaration).map(({ topic }) => grant('topic', topic, ['Create', ...LOOK, 'AlterConfigs']))
}

/**
 * For the commands that people run: they look at everything (`blobs collect` has to see topics that are not declared any more, as it removes
 * what no record refers to; `doctor` asks the brokers for their settings), ask deliveries for something, discard letters, `recover` and
 * `rewind`.
 */
function operatorGrants(declaration: Declaration): readonly Grant[] {
  const { name } = declaration
  const subscribers = [...declaration.subscribers.keys()]
  const written = [
    ...subscribers.flatMap((subscriber) => [deadLetterTopic(name, subscriber), commandsTopic(name, subscriber)]),
    positionsTopic(name),
  ]
  return [
    { resource: 'topic', name: `${name}.`, pattern: 'prefixed', operations: ['Read', ...LOOK] },
    grant('cluster', CLUSTER, ['DescribeConfigs']),
    ...written.map((topic) => grant('topic', topic, ['Write'])),
    ...subscribers
      .flatMap((subscriber) => groupIdsOf(declaration, subscriber))
      .map((groupId) => grant('group', groupId, READ)),
  ]
}

function grant(resource: AclResource, name: string, operations: readonly AclOperation[]): Grant {
  return { resource, name, pattern: 'literal', operations }
}

function entityTopicsOf(declaration: Declaration, subscriber: string): readonly string[] {
  const groups = groupsOf(declaration, declaration.subscribers.get(subscriber)!)
  return groups.flatMap(({ routes }) => routes.map(({ topic }) => topic))
}

function groupIdsOf(declaration: Declaration, subscriber: string): readonly string[] {
  return groupsOf(declaration, declaration.subscribers.get(subscriber)!).map(({ groupId }) => groupId)
}

const HEAD = [
  '# What the processes of a pipeline may do, for kafka-acls.sh of Kafka 3.0 or newer; adding it again changes nothing.',
  'set -eu',
  `: "\${BROKERS:?the brokers, as host:port}"`,
  `: "\${ADMIN_CONFIG:?a file with the client settings of someone who may change ACLs}"`,
]

/** As a script for a shell: one command for the resources of a kind that a principal may do the same with. */
export function formatAcls(acls: readonly Acl[]): string {
  const commands = Map.groupBy(acls, ({ principal, resource, pattern, operations }) =>
    [principal, resource, pattern, ...operations].join(' '),
  )
  const lines: string[] = [...HEAD]
  let told = ''
  for (const alike of commands.values()) {
    const { principal } = alike[0]!
    if (principal !== told) lines.push('', `# ${principal}`)
    told = principal
    lines.push(...commandLines(alike))
  }
  return `${lines.join('\n')}\n`
}

function commandLines(alike: readonly Acl[]): readonly string[] {
  const { principal, resource, pattern, operations } = alike[0]!
  const parts = [
    'kafka-acls.sh --bootstrap-server "$BROKERS" --command-config "$ADMIN_CONFIG" --add',
    `--allow-principal '${principal}' ${operations.map((operation) => `--operation ${operation}`).join(' ')}`,
    ...(pattern === 'prefixed' ? ['--resource-pattern-type prefixed'] : []),
    ...alike.map(({ name }) => (resource === 'cluster' ? '--cluster' : `--${resource} ${name}`)),
  ]
  return parts.map((part, index) => `${index === 0 ? '' : '  '}${part}${index < parts.length - 1 ? ' \\' : ''}`)
}
