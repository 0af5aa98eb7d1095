import { Gauge, type Registry } from 'prom-client'
import type { EntityClass } from '../../schemas/entity.ts'
import { type ClusterLook, type GroupLook, lagOf, type PartitionLook, SERVERS } from '../exporter/look.ts'

/** What of the declaration the alerts and dashboards refer to. */
export interface DeclaredTargets {
  readonly entity: string
  readonly class: EntityClass
  readonly owner: string
  readonly source: string
  readonly freshnessSeconds: number
}

/**
 * Gauges over the latest look at the cluster. Lag goes by the names that the usual exporter for Kafka gives it.
 * @returns what each new look is handed to
 */
export function createClusterMetrics(
  registers: Registry[],
  targets: readonly DeclaredTargets[],
): (look: ClusterLook) => void {
  let latest: ClusterLook | null = null
  let lookedAtMs = 0
  const gauge = <Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    tell: (look: ClusterLook, set: (labels: Record<Label, string | number>, value: number) => void) => void,
  ) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        // What the latest look has not seen is not shown: a number of yesterday would be worse than none.
        this.reset()
        // One without labels is set to 0 by that.
        if (labelNames.length === 0) this.remove()
        if (latest !== null) tell(latest, (labels, value) => this.set(labels, value))
      },
    })
  const ofGroups =
    (value: (partition: PartitionLook, group: GroupLook) => number | bigint | null) =>
    (
      { groups }: ClusterLook,
      set: (labels: Record<'consumergroup' | 'topic' | 'partition', string | number>, value: number) => void,
    ) => {
      for (const group of groups)
        for (const one of group.partitions) {
          const found = value(one, group)
          if (found !== null)
            set({ consumergroup: group.groupId, topic: one.topic, partition: one.partition }, Number(found))
        }
    }
  const places = ['consumergroup', 'topic', 'partition'] as const
  gauge(
    'kafka_consumergroup_lag',
    'Records that the group has not finished.',
    places,
    ofGroups((one) => lagOf(one)),
  )
  gauge(
    'kafka_consumergroup_current_offset',
    'The offset that the group has committed.',
    places,
    ofGroups(({ committed }) => committed),
  )
  gauge('kafka_consumergroup_members', 'Members of the group.', ['consumergroup'], ({ groups }, set) => {
    for (const { groupId, members } of groups) set({ consumergroup: groupId }, members)
  })
  gauge(
    'kafka_topic_partition_current_offset',
    'The next offset of the partition.',
    ['topic', 'partition'],
    ({ groups }, set) => {
      for (const { partitions } of groups)
        for (const { topic, partition, high } of partitions) set({ topic, partition }, Number(high))
    },
  )
  gauge(
    'tributary_lag_seconds',
    'Age of the oldest published record that the subscriber has not finished; 0 when all are.',
    ['subscriber', 'entity', 'class'],
    ({ groups }, set) => {
      const nowMs = Date.now()
      for (const { subscriber, entityClass, partitions } of groups)
        for (const [entity, since] of oldestByEntity(partitions))
          set({ subscriber, entity, class: entityClass }, since === null ? 0 : Math.max(0, nowMs - since) / 1000)
    },
  )
  gauge(
    'tributary_dead_letters_open',
    'Dead letters that are tried again by themselves (retrying) or wait for a person or a later change (dead).',
    ['subscriber', 'entity', 'state'],
    ({ letters }, set) => {
      for (const { subscriber, counts } of letters)
        for (const { entity, state, open } of counts) set({ subscriber, entity, state }, open)
    },
  )
  gauge(
    'tributary_dead_letters_oldest_seconds',
    'Time since the oldest of them failed first; absent where there is none.',
    ['subscriber', 'entity', 'state'],
    ({ letters }, set) => {
      const nowMs = Date.now()
      for (const { subscriber, counts } of letters)
        for (const { entity, state, oldestSinceMs } of counts)
          if (oldestSinceMs !== null) set({ subscriber, entity, state }, Math.max(0, nowMs - oldestSinceMs) / 1000)
    },
  )
  gauge(
    'tributary_dead_letters_untracked',
    'Dead letters that came when as many as are counted were open; they may have ended since.',
    ['subscriber'],
    ({ letters }, set) => {
      for (const { subscriber, untracked } of letters) set({ subscriber }, untracked)
    },
  )
  gauge('tributary_server_up', '1 when the server answered the latest look.', ['server'], ({ up }, set) => {
    for (const server of SERVERS) set({ server }, up[server] ? 1 : 0)
  })
  createLedgerServerGauges(gauge)
  gauge(
    'tributary_freshness_target_seconds',
    'How late a subscriber may be with this entity, as declared.',
    ['entity', 'class', 'owner', 'source'],
    (_look, set) => {
      for (const { entity, class: entityClass, owner, source, freshnessSeconds } of targets)
        set({ entity, class: entityClass, owner, source }, freshnessSeconds)
    },
  )
  new Gauge({
    name: 'tributary_exporter_look_timestamp_seconds',
    help: 'When the latest look ended, in seconds since 1970.',
    registers,
    collect() {
      this.remove()
      if (latest !== null) this.set(lookedAtMs / 1000)
    },
  })
  return (look) => {
    latest = look
    lookedAtMs = Date.now()
  }
}

type MakeGauge = (
  name: string,
  help: string,
  labelNames: readonly never[],
  tell: (look: ClusterLook, set: (labels: Record<never, string | number>, value: number) => void) => void,
) => void

function createLedgerServerGauges(gauge: MakeGauge): void {
  const ofLedger = (
    name: string,
    help: string,
    value: (state: NonNullable<ClusterLook['ledger']>) => number | null,
  ): void =>
    gauge(name, help, [], ({ ledger }, set) => {
      const found = ledger === null ? null : value(ledger)
      if (found !== null) set({}, found)
    })
  ofLedger(
    'tributary_ledger_start_time_seconds',
    'When the ledger’s Redis was started, in seconds since 1970.',
    ({ startedAtMs }) => Math.round(startedAtMs / 1000),
  )
  ofLedger(
    'tributary_ledger_evicted_keys',
    'Keys that it dropped for want of memory since it was started.',
    ({ evictedKeys }) => evictedKeys,
  )
  ofLedger('tributary_ledger_used_bytes', 'Memory that it uses.', ({ usedBytes }) => usedBytes)
  ofLedger(
    'tributary_ledger_limit_bytes',
    'Memory that it may use at most; absent without a limit.',
    ({ limitBytes }) => limitBytes,
  )
}

/** Since when the oldest unfinished record of each entity waits; null where none does. */
function oldestByEntity(partitions: readonly PartitionLook[]): ReadonlyMap<string, number | null> {
  const oldest = new Map<string, number | null>()
  for (const { entity, waitingSinceMs } of partitions) {
    const known = oldest.get(entity) ?? null
    const isOlder = waitingSinceMs !== null && (known === null || waitingSinceMs < known)
    oldest.set(entity, isOlder ? waitingSinceMs : known)
  }
  return oldest
}
