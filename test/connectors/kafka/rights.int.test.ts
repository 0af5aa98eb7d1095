import type { Kafka } from 'kafkajs'
import kafkajs from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openAdmin } from '../../../connectors/kafka/admin.ts'
import { connectKafka } from '../../../connectors/kafka/client.ts'
import { createProducer } from '../../../connectors/kafka/producer.ts'
import { createAuthority } from '../../support/servers/certificates.ts'
import { type OwnKafka, startOwnKafka } from '../../support/servers/own-kafka.ts'

const USER = { name: 'reader', password: 'reader-4711' }
const TOPIC = { topic: 'shop.customer', partitions: 1, replication: 1, configs: {} }
const RECORD = { topic: TOPIC.topic, key: 'k', value: Buffer.from('v'), headers: {} }

let broker: OwnKafka
let superUser: Kafka
let user: Kafka

beforeAll(async () => {
  const authority = createAuthority()
  broker = await startOwnKafka({
    server: authority.issue(['localhost']),
    otherName: authority.issue(['broker.example']),
    authority: authority.certificate,
    users: [USER],
    authorizes: true,
  })
  const common = { clientId: 'test', log: () => {} }
  superUser = connectKafka({ ...common, brokers: [broker.plain] })
  const sasl = { mechanism: 'scram-sha-256', username: USER.name, password: USER.password } as const
  const security = { tls: { ca: authority.certificate }, sasl }
  user = connectKafka({ ...common, brokers: [broker.secure], security })
})
afterAll(async () => {
  await broker?.close()
})

test('a right that is missing is told by its kind, and stops; once it is given, the work is done', async () => {
  const admin = await openAdmin(user, [broker.secure])
  const denied = {
    code: 'kafka-unsuitable',
    fate: 'stop',
    message: expect.stringContaining('does not give us a right'),
  }
  await expect(admin.createTopics([TOPIC])).rejects.toMatchObject(denied)
  const other = await openAdmin(superUser, [broker.plain])
  await other.createTopics([TOPIC])
  await other.close()
  await expect(admin.topicOffsets(TOPIC.topic)).rejects.toMatchObject(denied)
  await expect(admin.groupLag('shop.warehouse', [TOPIC.topic])).rejects.toThrow('that our user may use the group')
  await expect(publish()).rejects.toMatchObject(denied)

  const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs
  const give = superUser.admin()
  await give.connect()
  await give.createAcls({
    acl: [AclResourceTypes.TOPIC, AclResourceTypes.GROUP].map((resourceType) => ({
      resourceType,
      resourceName: 'shop.',
      resourcePatternType: ResourcePatternTypes.PREFIXED,
      principal: `User:${USER.name}`,
      host: '*',
      operation: AclOperationTypes.ALL,
      permissionType: AclPermissionTypes.ALLOW,
    })),
  })
  await give.disconnect()
  await publish()
  expect(await admin.topicOffsets(TOPIC.topic)).toEqual([{ partition: 0, low: 0n, high: 1n }])
  await admin.groupLag('shop.warehouse', [TOPIC.topic])
  await admin.close()
})

async function publish(): Promise<void> {
  const producer = createProducer(user)
  try {
    await producer.connect()
    await producer.send([RECORD])
  } finally {
    await producer.close()
  }
}
