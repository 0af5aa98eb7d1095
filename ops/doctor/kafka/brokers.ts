import type { BrokerSettings, PartitionReplicas } from '../../../connectors/kafka/cluster.ts'
import { counted, type Finding, fail, ok, orElse, warn } from '../finding.ts'

/** What of the cluster itself is read. */
export const BROKER_SETTINGS = ['auto.create.topics.enable', 'unclean.leader.election.enable'] as const

/** How many brokers there are beside how many are to hold each topic. Pure. */
export function decideBrokers(subject: string, brokers: readonly number[], replication: number): readonly Finding[] {
  const name = 'kafka-brokers'
  const found = `${counted(brokers.length, 'broker')} (${brokers.join(', ')}), replication ${replication}`
  if (replication > brokers.length)
    return [
      fail(
        name,
        subject,
        `${found}: no topic can be made`,
        `Start ${counted(replication - brokers.length, 'more broker')}, or write replication: ${brokers.length} under kafka in tributary.yaml`,
      ),
    ]
  if (brokers.length === 1) return [ok(name, subject, `${found}: for one machine; its disk is the only copy`)]
  if (replication === 1)
    return [
      warn(name, subject, `${found}: a topic is on one broker alone, and lost with it`, declareThree(brokers.length)),
    ]
  if (replication === 2)
    return [
      warn(
        name,
        subject,
        `${found}: min.insync.replicas is 1, so that an acknowledged change may be on one broker alone`,
        declareThree(brokers.length),
      ),
    ]
  return [ok(name, subject, found)]
}

function declareThree(brokers: number): string {
  const more = brokers < 3 ? 'With three brokers: ' : ''
  return `${more}replication: 3 under kafka in tributary.yaml; topics that are there need kafka-reassign-partitions.sh`
}

/** What the brokers do by themselves. Pure. */
export function decideSettings(subject: string, brokers: readonly BrokerSettings[]): readonly Finding[] {
  const name = 'kafka-settings'
  const withSetting = (setting: (typeof BROKER_SETTINGS)[number]) =>
    brokers.filter(({ settings }) => settings[setting] === 'true').map(({ broker }) => broker)
  const creating = withSetting('auto.create.topics.enable')
  const unclean = withSetting('unclean.leader.election.enable')
  const findings: Finding[] = []
  if (creating.length > 0)
    findings.push(
      warn(
        name,
        subject,
        `auto.create.topics.enable is on at ${which(creating)}: a wrong name makes a topic that is not compacted`,
        'auto.create.topics.enable=false in server.properties; then restart the brokers, one after the other',
      ),
    )
  if (unclean.length > 0)
    findings.push(
      warn(
        name,
        subject,
        `unclean.leader.election.enable is on at ${which(unclean)}: committed offsets may be set back (our topics have their own setting)`,
        'kafka-configs.sh --bootstrap-server <broker> --alter --entity-type brokers --entity-default \\\n--add-config unclean.leader.election.enable=false',
      ),
    )
  return orElse(findings, ok(name, subject, 'auto.create.topics.enable and unclean.leader.election.enable are off'))
}

function which(brokers: readonly number[]): string {
  return `broker${brokers.length === 1 ? '' : 's'} ${brokers.join(', ')}`
}

/** How many copies a topic is to have, and how many of them before a write is acknowledged. */
export interface WantedReplicas {
  readonly replication: number
  readonly inSyncMin: number
}

/** Whether each topic has its copies, in step. @param wanted topic → what it should have. Pure. */
export function decideReplicas(
  subject: string,
  partitions: readonly PartitionReplicas[],
  wanted: ReadonlyMap<string, WantedReplicas>,
): readonly Finding[] {
  const name = 'kafka-replicas'
  const findings = [...Map.groupBy(partitions, ({ topic }) => topic)].flatMap(([topic, of]): Finding[] => {
    const { replication, inSyncMin } = wanted.get(topic)!
    const refusing = of.filter(({ inSync }) => inSync < inSyncMin)
    const behind = of.filter(({ inSync, replicas }) => inSync < replicas)
    const few = of.filter(({ replicas }) => replicas < replication)
    if (refusing.length > 0) {
      const found = `${counted(refusing.length, 'partition')} with fewer than ${inSyncMin} copies in step: nothing can be written there`
      return [fail(name, topic, found, describe(topic))]
    }
    if (behind.length > 0)
      return [
        warn(name, topic, `${counted(behind.length, 'partition')} with copies that are not in step`, describe(topic)),
      ]
    if (few.length === 0) return []
    const found = `${few[0]!.replicas} of ${replication} declared copies`
    return [warn(name, topic, found, `kafka-reassign-partitions.sh: give ${topic} ${replication} replicas`)]
  })
  return orElse(findings, ok(name, subject, `${counted(partitions.length, 'partition')}, every copy in step`))
}

function describe(topic: string): string {
  return `Start the brokers that are missing. Which they are:\nkafka-topics.sh --bootstrap-server <broker> --describe --topic ${topic}`
}
