/** Names of topics, groups and producers. `prefix` is the pipeline's name in the declaration. */
export function entityTopic(prefix: string, entity: string): string {
  return `${prefix}.${entity}`
}

/** Where a source's records that could not be encoded go. */
export function captureDeadLetterTopic(prefix: string, source: string): string {
  return `${prefix}.${source}.capture-dead-letter`
}

export function deadLetterTopic(prefix: string, subscriber: string): string {
  return `${prefix}.${subscriber}.dead-letter`
}

/** What people ask of a subscriber, and what it answers (schemas/subscriber-command.ts). */
export function commandsTopic(prefix: string, subscriber: string): string {
  return `${prefix}.${subscriber}.commands`
}

/** Where each source got to. */
export function positionsTopic(prefix: string): string {
  return `${prefix}.positions`
}

/** The consumer group of a subscriber for one class of entities. */
export function consumerGroup(prefix: string, subscriber: string, entityClass: string): string {
  return `${prefix}.${subscriber}.${entityClass}`
}

/** The name that every producer of a source has, so that a later one replaces those before it. */
export function producerName(prefix: string, source: string): string {
  return `${prefix}.${source}`
}
