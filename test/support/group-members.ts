import { connectKafka } from '../../connectors/kafka/client.ts'
import { required } from './flow.ts'

interface Group {
  readonly state: string
  readonly members: readonly { readonly memberId: string }[]
}

interface Place {
  readonly groupId: string
  readonly memberId: string
}

interface Broker {
  describeGroups(of: { groupIds: string[] }): Promise<{ groups: Group[] }>
  joinGroup(
    of: Place & {
      sessionTimeout: number
      rebalanceTimeout: number
      groupProtocols: { name: string; metadata: Buffer }[]
    },
  ): Promise<{ memberId: string; leaderId: string; generationId: number }>
  syncGroup(of: Place & { generationId: number; groupAssignment: [] }): Promise<unknown>
  heartbeat(of: Place & { groupGenerationId: number }): Promise<unknown>
  leaveGroup(of: { groupId: string; memberId: string }): Promise<unknown>
}

interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  findGroupCoordinator(of: { groupId: string }): Promise<Broker>
}

export interface GroupMembers {
  of(groupId: string): Promise<readonly string[]>
  /** As the broker names it: `PreparingRebalance` waits for members to join, `CompletingRebalance` for the leader to hand out partitions. */
  state(groupId: string): Promise<string>
  /** Joins a group, and puts its other members out until it leads. */
  lead(groupId: string): Promise<Leader>
  /** Has a member leave, which cannot do so by itself: a group waits for a dead one until its session is over. */
  remove(groupId: string, memberId: string): Promise<void>
  close(): Promise<void>
}

/** A member that leads its group, and does only what the test asks of it. */
export interface Leader {
  readonly memberId: string
  /** Sends a heartbeat, and joins again where the group asks for it, which waits for the other members. @returns whether it joined */
  turn(): Promise<boolean>
  /** Hands partitions out: none to anybody. */
  handOut(): Promise<void>
  leave(): Promise<void>
}

const LEADER_SESSION_MS = 60_000

/** The library lets a member leave only by itself; its own connection can send the request for another. */
export async function openGroupMembers(): Promise<GroupMembers> {
  const brokers = required('TRIBUTARY_KAFKA_BROKERS').split(',')
  const kafka = connectKafka({ brokers, clientId: 'test', log: () => {} }) as object
  const create = Object.getOwnPropertySymbols(kafka).find(({ description }) => description?.endsWith(':createCluster'))!
  const cluster = (kafka as Record<symbol, (options: object) => Cluster>)[create]!({ metadataMaxAge: 300_000 })
  await cluster.connect()
  const leading = new Set<() => Promise<void>>()
  const describe = async (groupId: string) => {
    const broker = await cluster.findGroupCoordinator({ groupId })
    const { groups } = await broker.describeGroups({ groupIds: [groupId] })
    return groups[0]!
  }
  const of = async (groupId: string) => (await describe(groupId)).members.map(({ memberId }) => memberId)
  const remove = async (groupId: string, memberId: string) => {
    const broker = await cluster.findGroupCoordinator({ groupId })
    await broker.leaveGroup({ groupId, memberId }).catch((error: unknown) => {
      // It may have left by itself meanwhile.
      if ((error as { type?: string }).type !== 'UNKNOWN_MEMBER_ID') throw error
    })
  }
  const lead = async (groupId: string): Promise<Leader> => {
    // Of its own, as a join keeps its connection busy until all have joined.
    const own = (kafka as Record<symbol, (options: object) => Cluster>)[create]!({ metadataMaxAge: 300_000 })
    await own.connect()
    const broker = await own.findGroupCoordinator({ groupId })
    const join = (memberId: string) =>
      broker.joinGroup({
        groupId,
        memberId,
        sessionTimeout: LEADER_SESSION_MS,
        rebalanceTimeout: LEADER_SESSION_MS,
        groupProtocols: [{ name: 'RoundRobinAssigner', metadata: Buffer.alloc(0) }],
      })
    let place = { memberId: '', leaderId: '?', generationId: 0 }
    while (place.leaderId !== place.memberId) {
      for (const member of await of(groupId)) await remove(groupId, member)
      place = await join('')
    }
    const { memberId } = place
    const leave = async () => {
      leading.delete(leave)
      await broker.leaveGroup({ groupId, memberId })
      await own.disconnect()
    }
    leading.add(leave)
    return {
      memberId,
      async turn() {
        try {
          await broker.heartbeat({ groupId, memberId, groupGenerationId: place.generationId })
          return false
        } catch (error) {
          if ((error as { type?: string }).type !== 'REBALANCE_IN_PROGRESS') throw error
        }
        place = await join(memberId)
        return true
      },
      async handOut() {
        await broker.syncGroup({ groupId, memberId, generationId: place.generationId, groupAssignment: [] })
      },
      leave,
    }
  }
  return {
    of,
    state: async (groupId) => (await describe(groupId)).state,
    lead,
    remove,
    async close() {
      for (const leave of leading) await leave()
      await cluster.disconnect()
    },
  }
}
