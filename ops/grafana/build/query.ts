/*
 * PromQL in the few forms that the dashboards need. Each selector names the job, and the instance where a process tells of itself, so that the
 * variables of these names narrow every panel.
 */

/** What the exporter tells, of the whole pipeline: by the instance of another process nothing would be left of it. */
export const PIPELINE_METRICS: ReadonlySet<string> = new Set([
  'kafka_consumergroup_lag',
  'kafka_consumergroup_current_offset',
  'kafka_consumergroup_members',
  'kafka_topic_partition_current_offset',
  'tributary_lag_seconds',
  'tributary_freshness_target_seconds',
  'tributary_dead_letters_open',
  'tributary_dead_letters_oldest_seconds',
  'tributary_dead_letters_untracked',
  'tributary_server_up',
  'tributary_ledger_start_time_seconds',
  'tributary_ledger_evicted_keys',
  'tributary_ledger_used_bytes',
  'tributary_ledger_limit_bytes',
  'tributary_exporter_look_timestamp_seconds',
])

/** One line, or several, of a panel. */
export interface Query {
  readonly expr: string
  /** What the line is called; `{{label}}` stands for a label's value. */
  readonly legend: string
}

export type Labels = readonly string[]

/** @param matchers further ones, such as `op="delete"` */
export function series(metric: string, ...matchers: readonly string[]): string {
  const own = PIPELINE_METRICS.has(metric) ? [] : ['instance=~"$instance"']
  return `${metric}{${['job=~"$job"', ...own, ...matchers].join(', ')}}`
}

const aggregate =
  (operator: string) =>
  (by: Labels, expr: string): string =>
    by.length === 0 ? `${operator}(${expr})` : `${operator} by (${by.join(', ')}) (${expr})`

export const sum = aggregate('sum')
export const max = aggregate('max')
export const min = aggregate('min')
export const count = aggregate('count')

/** Per second. */
export function rate(counter: string, ...matchers: readonly string[]): string {
  return `rate(${series(counter, ...matchers)}[$__rate_interval])`
}

/** How much between one point of a panel and the next. */
export function increase(counter: string, ...matchers: readonly string[]): string {
  return `increase(${series(counter, ...matchers)}[$__rate_interval])`
}

/** How much in all the time that the dashboard shows. */
export function increaseInRange(counter: string, ...matchers: readonly string[]): string {
  return `increase(${series(counter, ...matchers)}[$__range])`
}

export function quantile(q: number, by: Labels, histogram: string, ...matchers: readonly string[]): string {
  return `histogram_quantile(${q}, ${sum(['le', ...by], rate(`${histogram}_bucket`, ...matchers))})`
}

/** A line each for the middle, and for what one in 20 and one in 100 exceeds. */
export function percentiles(histogram: string, ...matchers: readonly string[]): Query[] {
  return [0.5, 0.95, 0.99].map((q) => ({ expr: quantile(q, [], histogram, ...matchers), legend: `p${q * 100}` }))
}
