import type { GroupLag } from '../../connectors/kafka/admin.ts'

/** What becomes of one partition's committed offset. */
export interface RewoundOffset {
  readonly topic: string
  readonly partition: number
  /** null where the group has never committed: it begins at the topic's first record by itself. */
  readonly from: bigint | null
  readonly to: bigint
}

/**
 * Where the offsets of a group go. Never forward: what is not delivered yet would be skipped. What stays where it is is left out. Pure.
 * @param offsetsAt for each topic and partition the first offset that is wanted again; none for the beginning
 */
export function planRewind(
  rows: readonly GroupLag[],
  offsetsAt: ReadonlyMap<string, ReadonlyMap<number, bigint>> | null,
): readonly RewoundOffset[] {
  return rows.flatMap(({ topic, partition, committed, low }) => {
    const wanted = offsetsAt === null ? low : (offsetsAt.get(topic)?.get(partition) ?? committed ?? low)
    const to = wanted > low ? wanted : low
    return committed === null || to >= committed ? [] : [{ topic, partition, from: committed, to }]
  })
}

/** `beginning`, or a time in ISO 8601 with its zone; undefined for what is neither. */
export function parseTarget(text: string): 'beginning' | Date | undefined {
  if (text === 'beginning') return 'beginning'
  // Without a zone it would be taken for that of this machine, which need not be the person's.
  if (!/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text)) return undefined
  const time = new Date(text)
  return Number.isNaN(time.getTime()) ? undefined : time
}
