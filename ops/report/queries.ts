/** What a report asks Prometheus, over a time such as `7d`. All are instant queries: one value a series. */
export const QUERIES = {
  p50: (over: string) => latency(0.5, over),
  p99: (over: string) => latency(0.99, over),
  /** Patches with a latency. */
  applied: (over: string) => `sum by (subscriber, entity) (increase(tributary_sync_latency_seconds_count[${over}]))`,
  /** The share of the time in which the oldest unfinished record was older than declared. */
  lateShare: (over: string) =>
    `avg_over_time((max by (subscriber, entity) (tributary_lag_seconds) > bool on (entity) group_left () max by (entity) (tributary_freshness_target_seconds))[${over}:1m])`,
  errorShare: (over: string) =>
    `sum by (subscriber) (increase(tributary_answers_total{outcome=~"rejected|unavailable|unknown|conflict"}[${over}])) / ` +
    `((sum by (subscriber) (increase(tributary_answers_total[${over}])) + sum by (subscriber) (increase(tributary_patches_total[${over}]))) ` +
    `or sum by (subscriber) (increase(tributary_answers_total[${over}])))`,
  deadLetters: () => 'max by (subscriber, entity) (tributary_dead_letters_open{state="dead"})',
  oldestDeadLetterSeconds: () => 'max by (subscriber, entity) (tributary_dead_letters_oldest_seconds{state="dead"})',
  /** The share of the time in which a part did not work, while its process ran. */
  downShare: (over: string) => `max by (part) (1 - avg_over_time(tributary_part_up[${over}]))`,
  /** How much of the time is known at all. */
  seenSeconds: (over: string) => `max(count_over_time(tributary_exporter_look_timestamp_seconds[${over}:1m])) * 60`,
} as const satisfies Record<string, (over: string) => string>

function latency(quantile: number, over: string): string {
  return `histogram_quantile(${quantile}, sum by (le, subscriber, entity) (increase(tributary_sync_latency_seconds_bucket[${over}])))`
}
