/** What is changed from point to point, one at a time. */
export const AXES = ['keys', 'partitions', 'subscribers', 'columns', 'bytes'] as const
export type Axis = (typeof AXES)[number]

/** One place at which everything is measured. */
export interface Point {
  /** In the ledger of each subscriber. */
  readonly keys: number
  readonly partitions: number
  readonly subscribers: number
  readonly columns: number
  /** Of a row as text, about. */
  readonly bytes: number
}

/** Where the other axes stay while one is measured. */
const BASE: Point = { keys: 10_000, partitions: 6, subscribers: 1, columns: 12, bytes: 1_000 }

export const UNITS: Readonly<Record<Axis, string>> = {
  keys: 'keys in the ledger',
  partitions: 'partitions',
  subscribers: 'subscribers',
  columns: 'columns',
  bytes: 'bytes a row',
}

const VALUES: Readonly<Record<Axis, readonly number[]>> = {
  keys: [10_000, 100_000, 1_000_000, 5_000_000],
  partitions: [1, 3, 6, 12],
  subscribers: [1, 2, 4, 8],
  columns: [5, 12, 50, 200],
  bytes: [100, 1_000, 10_000, 100_000],
}

/** Wide rows are fewer on the whole axis, so that the longest ones fit. */
const KEYS_OF_BYTES = 2_000

export function baseOf(axis: Axis): Point {
  return axis === 'bytes' ? { ...BASE, keys: KEYS_OF_BYTES } : BASE
}

/** @param most points beyond it are left out; the base never is */
export function pointsOf(axis: Axis, most = Number.POSITIVE_INFINITY): readonly Point[] {
  const base = baseOf(axis)
  return VALUES[axis].flatMap((value) => (value <= most || value === base[axis] ? [{ ...base, [axis]: value }] : []))
}

/** Each once on the way there and once on the way back, so that a machine that gets slower or faster wrongs none of them. */
export function thereAndBack<T>(
  points: readonly T[],
): readonly { readonly leg: 'there' | 'back'; readonly point: T }[] {
  return [
    ...points.map((point) => ({ leg: 'there' as const, point })),
    ...points.toReversed().map((point) => ({ leg: 'back' as const, point })),
  ]
}

/** What is done at a point. */
export interface Work {
  /** At the source and at each warehouse. The other keys of a ledger are in the ledger alone: PostgreSQL's growth is not measured. */
  readonly rows: number
  /** In the backlog. */
  readonly changes: number
  /** Of the load whose latency is measured. */
  readonly rate: number
  readonly seconds: number
}

/** The backlog is as large as a point can get through in some seconds, whatever makes it slow. */
const CHANGES_MAX = 60_000
const CHANGES_MIN = 500
const DELIVERED_MAX = 200_000
const BYTES_MAX = 400_000_000
const FIELDS_MAX = 1_500_000
const RATE = 200
const SECONDS = 10
const SECONDS_MIN = 3

/** @param scale share of the changes and of the time */
export function workOf({ keys, subscribers, columns, bytes }: Point, base: Point, scale: number): Work {
  const most = Math.min(CHANGES_MAX, DELIVERED_MAX / subscribers, BYTES_MAX / bytes, FIELDS_MAX / columns)
  return {
    rows: Math.min(keys, base.keys),
    changes: Math.max(CHANGES_MIN, Math.round(most * scale)),
    rate: RATE,
    seconds: Math.max(SECONDS_MIN, Math.round(SECONDS * scale)),
  }
}

/** How much was done at a time. */
export interface Mark {
  readonly atMs: number
  readonly done: number
}

/** The first share of a drain is its warm-up. */
const WARM_UP_SHARE = 0.25

/** What was done in a second, from the first mark behind the warm-up to the last; over all when there is no such. */
export function steadyRate(startedAtMs: number, marks: readonly Mark[]): number {
  const last = marks.at(-1)!
  const from = marks.find(({ done }) => done >= last.done * WARM_UP_SHARE)!
  // A drain between two looks has no middle.
  const { atMs, done } = from.atMs < last.atMs ? from : { atMs: startedAtMs, done: 0 }
  return (last.done - done) / ((last.atMs - atMs) / 1000)
}
