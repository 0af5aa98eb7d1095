import { openAdmin } from '../../../connectors/kafka/admin.ts'
import type { Environment } from '../../process/environment.ts'
import { COMPARED_CONFIGS, wantedTopics } from '../../provision/topics.ts'
import { ask, decided, letGo } from '../answer.ts'
import { areaOf, CHECK_NAMES } from '../checks.ts'
import { type Finding, failed, unasked } from '../finding.ts'
import { BROKER_SETTINGS, decideBrokers, decideReplicas, decideSettings } from './brokers.ts'
import { decideTopics } from './topics.ts'

const SUBJECT = 'kafka'

/** Asks the brokers about themselves and about the topics of the pipeline. Changes nothing. */
export async function lookAtKafka({ declaration, kafka }: Environment): Promise<readonly Finding[]> {
  const { brokers, replication } = declaration.kafka
  const asked = <T>(question: Promise<T>) => ask('kafka-unreachable', `Kafka at ${brokers.join(', ')}`, question)
  const opened = await asked(openAdmin(kafka, brokers))
  if (opened.error) {
    const others = CHECK_NAMES.filter((name) => areaOf(name) === 'kafka' && name !== 'kafka-brokers')
    return [
      failed('kafka-brokers', SUBJECT, opened.error),
      ...others.map((name) => unasked(name, SUBJECT, 'Kafka does not answer')),
    ]
  }
  const admin = opened.value
  const wanted = wantedTopics(declaration)
  const names = wanted.map(({ topic }) => topic)
  try {
    const described = admin.describeTopics(names, COMPARED_CONFIGS)
    const [there, settings, topics, replicas] = await Promise.all([
      asked(admin.brokers()),
      asked(admin.brokerSettings(BROKER_SETTINGS)),
      asked(described),
      asked(described.then((present) => admin.replicas([...present.keys()]))),
    ])
    const copies = new Map(
      wanted.map(({ topic, replication, configs }) => {
        return [topic, { replication, inSyncMin: Number(configs['min.insync.replicas']) }]
      }),
    )
    return [
      decided('kafka-brokers', SUBJECT, there, (one) => decideBrokers(SUBJECT, one, replication)),
      decided('kafka-settings', SUBJECT, settings, (one) => decideSettings(SUBJECT, one)),
      decided('kafka-topics', SUBJECT, topics, (one) => decideTopics(SUBJECT, wanted, one)),
      decided('kafka-replicas', SUBJECT, replicas, (one) => decideReplicas(SUBJECT, one, copies)),
    ].flat()
  } finally {
    await letGo(admin.close())
  }
}
