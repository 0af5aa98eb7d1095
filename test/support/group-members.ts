import { connectKafka } from '../../connectors/kafka/client.ts'
import { required } from './flow.ts'

interface Broker {
  describeGroups(of: { groupIds: string[] }): Promise<{ groups: { members: { memberId: string }[] }[] }>
  leaveGroup(of: { groupId: string; memberId: string }): Promise<unknown>
}

interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  findGroupCoordinator(of: { groupId: string }): Promise<Broker>
}

export interface GroupMembers {
  of(groupId: string): Promise<readonly string[]>
  /** Has a member leave, which cannot do so by itself: a group waits for a dead one until its session is over. */
  remove(groupId: string, memberId: string): Promise<void>
  close(): Promise<void>
}

/** The library lets a member leave only by itself; its own connection can send the request for another. */
export async function openGroupMembers(): Promise<GroupMembers> {
  const brokers = required('TRIBUTARY_KAFKA_BROKERS').split(',')
  const kafka = connectKafka({ brokers, clientId: 'test', log: () => {} }) as object
  const create = Object.getOwnPropertySymbols(kafka).find(({ description }) => description?.endsWith(':createCluster'))!
  const cluster = (kafka as Record<symbol, (options: object) => Cluster>)[create]!({ metadataMaxAge: 300_000 })
  await cluster.connect()
  return {
    async of(groupId) {
      const broker = await cluster.findGroupCoordinator({ groupId })
      const { groups } = await broker.describeGroups({ groupIds: [groupId] })
      return groups[0]!.members.map(({ memberId }) => memberId)
    },
    async remove(groupId, memberId) {
      const broker = await cluster.findGroupCoordinator({ groupId })
      await broker.leaveGroup({ groupId, memberId })
    },
    close: () => cluster.disconnect(),
  }
}
