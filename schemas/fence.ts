/*
 * A fence is a record that says nothing. A source writes one to each partition of a topic before it reads the topic back: from then on the
 * broker refuses whatever an earlier writer of this source still has under way, so that nothing older can arrive behind what was read.
 * It is a delete of a key that no source can have, so that compaction removes it and every Kafka tool understands it.
 */
const FENCE_HEADER = 'tributary-fence'

/** No PostgreSQL text, and no key in a declaration, holds a NUL. */
export function fenceKey(number: number): string {
  return `\0${FENCE_HEADER}/${number}`
}

/** @param source the source that writes it */
export function fenceHeaders(source: string): Readonly<Record<string, string>> {
  return { [FENCE_HEADER]: source }
}

/** Whether an entity topic's record is a fence: it is passed over by whoever reads the topic. */
export function isFence(record: {
  readonly value: unknown
  readonly headers: Readonly<Record<string, unknown>>
}): boolean {
  return record.value === null && FENCE_HEADER in record.headers
}
