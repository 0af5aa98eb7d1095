/** Every check, in the order of the way of a change, and what it looks at. The names are settled: scripts and runbooks hold them. */
export const CHECKS = {
  'source-server': 'the database answers, its version, wal_level, encoding',
  'source-rights': 'the role may replicate, read each table, and write heartbeats',
  'source-tables': 'each declared table is there, with its columns, types and key',
  'source-identity': 'the replica identity of each table',
  'source-publication': 'the publication is there, with every table, column and operation',
  'source-room': 'slots, senders of the log and connections that are left',
  'source-slot': 'the slot is there, ours, read, not given up, and survives a failover',
  'source-log': 'how much log the server keeps for the slot, and at most',
  'source-transactions': 'the oldest open transaction, which holds log back',
  'source-letters': 'rows that could not be encoded',
  'kafka-brokers': 'a broker answers; how many there are beside the declared replication',
  'kafka-settings': 'topics are not made by themselves; no leader without the data',
  'kafka-topics': 'each topic is there, with its partitions and settings',
  'kafka-replicas': 'each partition has a leader and enough copies in step',
  'registry-server': 'the registry answers',
  'registry-schemas': 'the declared schema of each entity is registered',
  'registry-compatibility': 'each subject refuses changes that old records would not survive',
  'ledger-server': 'Redis answers, its version',
  'ledger-eviction': 'Redis never drops entries',
  'ledger-persistence': 'what a crash of Redis loses; whether its writes to disk go well',
  'ledger-memory': 'the memory that is left',
  'blobs-store': 'the store of large values answers and is ready',
  'subscriber-system': 'the system of the subscriber answers and takes what is declared',
  'subscriber-delivery': 'somebody delivers while records wait, and not too late',
  'subscriber-members': 'no member is without partitions',
  'subscriber-offsets': 'committed offsets are there and within their topics',
  'subscriber-letters': 'dead letters that wait for a person',
  clocks: 'how far the clocks of sources and Redis are from this one',
} as const

export type CheckName = keyof typeof CHECKS
export const CHECK_NAMES = Object.keys(CHECKS) as readonly CheckName[]

/** The first word of a name: all checks of one area ask the same servers. */
export type Area = CheckName extends infer Name ? (Name extends `${infer First}-${string}` ? First : Name) : never

export function areaOf(name: CheckName): Area {
  return name.split('-')[0] as Area
}

/** @param wanted the name of a check, or of an area; undefined for all. @returns none where there is no such name */
export function checksNamed(wanted: string | undefined): readonly CheckName[] {
  return CHECK_NAMES.filter((name) => wanted === undefined || name === wanted || areaOf(name) === wanted)
}
