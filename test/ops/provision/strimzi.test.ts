import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { checkDeclaration } from '../../../ops/declaration/declaration.ts'
import { formatStrimzi, kafkaTopics, resourceName } from '../../../ops/provision/strimzi.ts'
import { wantedTopics } from '../../../ops/provision/topics.ts'
import { closedPort, expectError, runCli } from '../../support/cli.ts'
import { ENVIRONMENT, PIPELINE } from '../declaration/pipelines.ts'
import { declarationFile } from './declaration-file.ts'

const RESOURCE_NAME = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/

const wanted = wantedTopics(checkDeclaration(PIPELINE, 'p.yaml', ENVIRONMENT).declaration!)

test('every topic that provision makes has its resource, with the same partitions, replicas and settings', () => {
  const printed = parseAllDocuments(formatStrimzi(kafkaTopics(wanted, 'main'))).map((document) => document.toJS())
  expect(printed).toEqual(
    wanted.map(({ topic, partitions, replication, configs }) => ({
      apiVersion: 'kafka.strimzi.io/v1',
      kind: 'KafkaTopic',
      metadata: { name: expect.stringMatching(RESOURCE_NAME), labels: { 'strimzi.io/cluster': 'main' } },
      spec: { topicName: topic, partitions, replicas: replication, config: configs },
    })),
  )
})

test('a topic that Kubernetes would not take as a name has one of its own', () => {
  expect(resourceName('acme.order-line')).toBe('acme.order-line')
  const names = ['acme.crm-.commands', 'acme.crm.commands', 'acme.crm_.commands', 'Acme.crm.commands'].map(resourceName)
  for (const name of names) expect(name).toMatch(RESOURCE_NAME)
  expect(new Set(names).size).toBe(names.length)
})

test('it asks no server, and is the same with --json', async () => {
  const file = declarationFile(`127.0.0.1:${await closedPort()}`)
  const args = ['provision', '--file', file, '--format', 'strimzi', '--cluster', 'main']
  const env = { ...process.env, ...ENVIRONMENT }
  const [text, json] = await Promise.all([runCli(args, env), runCli([...args, '--json'], env)])
  expect([text.code, text.stderr, json.code]).toEqual([0, '', 0])
  const { topics } = JSON.parse(json.stdout) as { topics: readonly object[] }
  expect(topics).toHaveLength(wanted.length)
  expect(parseAllDocuments(text.stdout).map((document) => document.toJS())).toEqual(topics)
})

test('without the cluster that the topics are of, or with a flag of another format, nothing is printed', async () => {
  const file = declarationFile('broker:9092')
  const env = { ...process.env, ...ENVIRONMENT }
  const usage = { code: 'usage', exitCode: 2 } as const
  const provision = ['provision', '--file', file]
  await expectError([...provision, '--format', 'strimzi'], env, { ...usage, says: ['--cluster'] })
  await expectError([...provision, '--cluster', 'main'], env, { ...usage, says: ['--format strimzi'] })
  await expectError([...provision, '--principal-prefix', 'User:'], env, { ...usage, says: ['--format acls'] })
})
