import { describe, expect, test } from 'vitest'
import { checkDeclaration } from '../../../ops/declaration/declaration.ts'
import { type Acl, formatAcls, planAcls } from '../../../ops/provision/acls.ts'
import { wantedTopics } from '../../../ops/provision/topics.ts'
import { closedPort, runCli } from '../../support/cli.ts'
import { changed, ENVIRONMENT } from '../declaration/pipelines.ts'
import { declarationFile } from './declaration-file.ts'

const SECOND = `  archive:
    type: warehouse
    url: \${WAREHOUSE_URL}
    schema: archive
    entities: { order-line: }
`
const text = `${changed(['owner: sales\n', 'owner: sales\n    class: critical\n'])}${SECOND}`
const { declaration, problems } = checkDeclaration(text, 'p.yaml', ENVIRONMENT)
const acls = declaration === undefined ? [] : planAcls(declaration, 'User:')
const topics = declaration === undefined ? [] : wantedTopics(declaration).map(({ topic }) => topic)
/** What a process may do, as a line a resource. */
const grantsOf = (process: string) =>
  acls
    .filter(({ principal }) => principal === `User:acme-${process}`)
    .map(({ resource, name, pattern, operations }) => `${resource} ${pattern} ${name}: ${operations.join(' ')}`)

describe('what a process may do', () => {
  test('a capture: its own topics, read back as well, and the name of its producer', () => {
    expect(problems).toEqual([])
    expect(grantsOf('capture-erp')).toEqual([
      'topic literal acme.customer: Read Write Describe DescribeConfigs',
      'topic literal acme.order-line: Read Write Describe DescribeConfigs',
      'topic literal acme.erp.capture-dead-letter: Read Write Describe DescribeConfigs',
      'topic literal acme.positions: Read Write Describe DescribeConfigs',
      'transactional-id literal acme.erp: Write Describe',
    ])
  })

  test('a delivery: reads its entities in a group a class, and writes letters and answers', () => {
    expect(grantsOf('deliver-warehouse')).toEqual([
      'topic literal acme.customer: Read Describe DescribeConfigs',
      'topic literal acme.order-line: Read Describe DescribeConfigs',
      'topic literal acme.warehouse.dead-letter: Read Write Describe',
      'topic literal acme.warehouse.commands: Read Write Describe',
      'group literal acme.warehouse.critical: Read Describe',
      'group literal acme.warehouse.standard: Read Describe',
    ])
  })

  test('a delivery has nothing to do with the entities, topics and groups of another', () => {
    expect(grantsOf('deliver-archive')).toEqual([
      'topic literal acme.order-line: Read Describe DescribeConfigs',
      'topic literal acme.archive.dead-letter: Read Write Describe',
      'topic literal acme.archive.commands: Read Write Describe',
      'group literal acme.archive.standard: Read Describe',
    ])
  })

  test('the exporter: only looks', () => {
    expect(grantsOf('exporter')).toEqual([
      'topic literal acme.customer: Read Describe',
      'topic literal acme.order-line: Read Describe',
      'topic literal acme.warehouse.dead-letter: Read Describe',
      'topic literal acme.archive.dead-letter: Read Describe',
      'group literal acme.warehouse.critical: Describe',
      'group literal acme.warehouse.standard: Describe',
      'group literal acme.archive.standard: Describe',
    ])
  })

  test('provision: makes and sets every topic that it wants, and reads and writes none', () => {
    expect(grantsOf('provision')).toEqual(
      topics.map((topic) => `topic literal ${topic}: Create Describe DescribeConfigs AlterConfigs`),
    )
  })

  test('the people: see all topics of the pipeline, also those that are not declared any more, and write what their commands write', () => {
    expect(grantsOf('operator')).toEqual([
      'topic prefixed acme.: Read Describe DescribeConfigs',
      'cluster literal kafka-cluster: DescribeConfigs',
      'topic literal acme.warehouse.dead-letter: Write',
      'topic literal acme.warehouse.commands: Write',
      'topic literal acme.archive.dead-letter: Write',
      'topic literal acme.archive.commands: Write',
      'topic literal acme.positions: Write',
      'group literal acme.warehouse.critical: Read Describe',
      'group literal acme.warehouse.standard: Read Describe',
      'group literal acme.archive.standard: Read Describe',
    ])
  })
})

test('nobody may change, make or write what is not named in full', () => {
  const loose = acls.filter(({ name, pattern }) => pattern !== 'literal' || name.includes('*'))
  expect(loose.flatMap(({ operations }) => operations)).not.toEqual(
    expect.arrayContaining([expect.stringMatching(/Write|Create|Alter|Delete|All/)]),
  )
})

test('of each entity topic there is one process that may write it', () => {
  const writers = (topic: string) =>
    acls.filter(({ name, operations }) => name === topic && operations.includes('Write')).map((acl) => acl.principal)
  for (const entity of declaration!.entities.keys())
    expect(writers(`acme.${entity}`)).toEqual(['User:acme-capture-erp'])
})

/** The options of kafka-acls.sh, as `org.apache.kafka.tools.AclCommand` has them. */
const VALUE_OPTIONS = ['bootstrap-server', 'command-config', 'allow-principal', 'operation', 'resource-pattern-type']
const RESOURCE_OPTIONS = ['topic', 'group', 'transactional-id', 'cluster']

/** What the commands of a script add, in their order. */
function parse(script: string): readonly Acl[] {
  const commands = script
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => line.startsWith('kafka-acls.sh'))
  return commands.flatMap((command) => {
    const words = command.trim().split(/\s+/).slice(1)
    const values = new Map<string, string[]>()
    for (let at = 0; at < words.length; at++) {
      const option = words[at]!.replace(/^--/, '')
      if (option === 'add') continue
      // The one that takes no value.
      if (option === 'cluster') {
        values.set(option, ['kafka-cluster'])
        continue
      }
      expect([...VALUE_OPTIONS, ...RESOURCE_OPTIONS]).toContain(option)
      values.set(option, [...(values.get(option) ?? []), words[++at]!.replaceAll("'", '')])
    }
    expect(values.get('bootstrap-server')).toEqual(['"$BROKERS"'])
    return RESOURCE_OPTIONS.flatMap((resource) =>
      (values.get(resource) ?? []).map((name) => ({
        principal: values.get('allow-principal')![0]!,
        resource: resource as Acl['resource'],
        name,
        pattern: (values.get('resource-pattern-type')?.[0] ?? 'literal') as Acl['pattern'],
        operations: values.get('operation') as unknown as Acl['operations'],
      })),
    )
  })
}

test('the script adds exactly these, with options that kafka-acls.sh has', () => {
  expect(parse(formatAcls(acls))).toEqual(acls)
})

test('it asks no server, is the same with --json, and names principals as it is told', async () => {
  const file = declarationFile(`127.0.0.1:${await closedPort()}`)
  const args = ['provision', '--file', file, '--format', 'acls', '--principal-prefix', 'User:CN=']
  const env = { ...process.env, ...ENVIRONMENT }
  const [script, json] = await Promise.all([runCli(args, env), runCli([...args, '--json'], env)])
  expect([script.code, script.stderr, json.code]).toEqual([0, '', 0])
  const printed = (JSON.parse(json.stdout) as { acls: readonly Acl[] }).acls
  expect(parse(script.stdout)).toEqual(printed)
  expect(printed[0]!.principal).toBe('User:CN=acme-capture-erp')
})
