import type { States } from './build/panel.ts'
import { type Labels, max, min, series, sum } from './build/query.ts'

/*
 * What several dashboards ask for. What the exporter tells is taken once, by `max`, also while a second exporter runs.
 */

export const FRESHNESS: States = { 0: ['late', 'red'], 1: ['fresh', 'green'] }
export const UP: States = { 0: ['down', 'red'], 1: ['up', 'green'] }
export const BREAKER: States = { 0: ['closed', 'green'], 1: ['probing', 'yellow'], 2: ['open', 'red'] }
export const LOG_STATES: States = {
  0: ['reserved', 'green'],
  1: ['extended', 'yellow'],
  2: ['unreserved', 'orange'],
  3: ['lost', 'red'],
}

/** The age of the oldest unfinished record, in seconds, by subscriber, entity and class. */
export function lag(...matchers: readonly string[]): string {
  return max(['subscriber', 'entity', 'class'], series('tributary_lag_seconds', ...matchers))
}

/** How late a subscriber may be, in seconds. */
export function target(by: Labels): string {
  return max(by, series('tributary_freshness_target_seconds'))
}

/** 1 where every entity is within its target, else 0. */
export function fresh(by: Labels, ...matchers: readonly string[]): string {
  return min(by, `${lag(...matchers)} <= bool on (entity) group_left () ${target(['entity'])}`)
}

/** A target for each entity that the subscriber takes. */
export function targetsOfLagging(...matchers: readonly string[]): string {
  return `${target(['entity'])} and on (entity) ${lag(...matchers)}`
}

/** Gives figures by subscriber and entity the owner and class of the entity, where it is still declared. */
export function withOwner(figures: string): string {
  const owners = `(${target(['entity', 'owner', 'class'])} * 0 + 1)`
  return `${figures} * on (entity) group_left (owner, class) ${owners} or on (subscriber, entity) ${figures}`
}

/** Consumer groups are called `<pipeline>.<subscriber>.<class>`. */
export function groupMatcher(subscriber: string): string {
  return `consumergroup=~"[^.]+[.]${subscriber}[.](critical|standard)"`
}
export const ANY_GROUP = groupMatcher('[^.]+')

/** Records that groups have not finished. */
export function recordsBehind(by: Labels, matcher: string): string {
  return sum(by, max(['consumergroup', 'topic', 'partition'], series('kafka_consumergroup_lag', matcher)))
}

/** Gives figures of consumer groups the subscriber and the class. */
export function bySubscriberAndClass(groupFigures: string): string {
  const subscriber = `label_replace(${groupFigures}, "subscriber", "$1", "consumergroup", "[^.]+[.]([^.]+)[.].+")`
  return sum(['subscriber', 'class'], `label_replace(${subscriber}, "class", "$1", "consumergroup", ".+[.]([^.]+)")`)
}

/** 0 where the breaker is closed, 1 where some member probes, 2 where it is open for one. */
export function breaker(by: Labels, ...matchers: readonly string[]): string {
  const inState = (state: string) => series('tributary_breaker_state', `state="${state}"`, ...matchers)
  return max(by, `2 * ${inState('open')} or ${inState('probing')}`)
}

/** Dead letters, each counted once. */
export function openLetters(by: Labels, ...matchers: readonly string[]): string {
  return sum(by, max(['subscriber', 'entity', 'state'], series('tributary_dead_letters_open', ...matchers)))
}

/** 0 to 3, the worse the higher, as in `LOG_STATES`. */
export function logState(by: Labels, ...matchers: readonly string[]): string {
  const inState = (status: string) => series('tributary_source_wal_status', `status="${status}"`, ...matchers)
  return max(by, `3 * ${inState('lost')} or 2 * ${inState('unreserved')} or ${inState('extended')}`)
}

/** Seconds since the newest change that is published was committed. */
export function newestCommitAge(by: Labels, ...matchers: readonly string[]): string {
  return `time() - ${max(by, series('tributary_source_committed_timestamp_seconds', ...matchers))}`
}

/** Seconds since any process last heard a heartbeat: one that does not capture any more hears none. */
export function heartbeatAge(by: Labels, ...matchers: readonly string[]): string {
  return min(by, series('tributary_source_heartbeat_age_seconds', ...matchers))
}

/** Of the log that the server may keep for us, how much it keeps. */
export function keptShare(by: Labels, ...matchers: readonly string[]): string {
  const kept = series('tributary_source_retained_bytes', ...matchers)
  return max(by, `${kept} / ${series('tributary_source_retained_limit_bytes', ...matchers)}`)
}
