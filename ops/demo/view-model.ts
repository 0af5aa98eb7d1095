import type { EntityMapping } from '../../connectors/destination.ts'
import type { SnapshotProgress } from '../../connectors/source.ts'
import type { BreakerState } from '../../consumers/health/breaker.ts'
import type { FieldType, Value } from '../../schemas/field-type.ts'
import type { Version } from '../../schemas/version.ts'
import { OneChange, type OneChangeView, type Origins } from './view/one-change.ts'
import { LatencyWindow, type Percentiles, SecondCounts } from './view/rolling.ts'
import { SubscriberTracker, type SubscriberView } from './view/subscribers.ts'
import { MASK, valueText } from './view/value-text.ts'

export type Stage = 'starting' | 'snapshot' | 'streaming' | 'stopping'

export interface ServiceView {
  readonly name: string
  readonly state: 'waiting' | 'starting' | 'ready' | 'failed'
  /** An address or a reason; may be empty. */
  readonly detail: string
  /** How long it has been starting, or took to start. */
  readonly tookMs: number
}

interface SnapshotView {
  readonly rowsDone: number
  readonly rowsEstimated: number
  readonly rowsPerSecond: number
  /** Null when it cannot be said yet. */
  readonly leftMs: number | null
  readonly done: boolean
  readonly tookMs: number
}

export interface EntityView {
  readonly name: string
  readonly snapshot: SnapshotView | null
  /** Records published. */
  readonly changes: number
  readonly patches: number
  readonly gated: number
}

/** One applied change. Values of personal fields are masked before they get here. */
export interface RecentChange {
  readonly atMs: number
  readonly time: string
  readonly subscriber: string
  readonly entity: string
  readonly key: string
  readonly kind: 'create' | 'update' | 'delete'
  readonly full: boolean
  readonly fields: readonly { readonly name: string; readonly text: string; readonly masked: boolean }[]
  readonly latencyMs: number
  /** Whether it is one the person at the terminal is asked to look for. */
  readonly watched: boolean
}

interface Hints {
  /** A command that changes something at the source. */
  readonly tryIt: string
  /** A command, or words, that show it in the warehouse. */
  readonly lookAt: string
  /** Where Prometheus may ask; '' until it is known. */
  readonly metrics: string
}

/** A subscriber that the person at the terminal can fail and heal by a key. */
export interface Outage {
  readonly subscriber: string
  readonly failing: boolean
  /** Null where there is no keyboard. */
  readonly key: string | null
}

/** All that the terminal shows at one moment. Rates are a second; times are milliseconds. */
export interface ViewModel {
  readonly stage: Stage
  readonly upMs: number
  readonly services: readonly ServiceView[]
  readonly entities: readonly EntityView[]
  readonly rates: { readonly captured: number; readonly published: number; readonly patched: number }
  /** Patches of changes (not of snapshot rows) in each of the last seconds, oldest first. */
  readonly patchedHistory: readonly number[]
  /** From the commit at the source to the answer of the destination, over the last {@link LATENCY_SECONDS}. */
  readonly latency: Percentiles | null
  /** Records published and not yet settled, over all subscribers; null when nobody said. */
  readonly lag: number | null
  readonly deadLetters: number
  readonly subscribers: readonly SubscriberView[]
  readonly oneChange: OneChangeView | null
  readonly outage: Outage | null
  readonly recent: readonly RecentChange[]
  readonly hints: Hints
}

export interface ViewEntity {
  readonly name: string
  readonly fields: readonly ViewField[]
}

interface ViewField {
  readonly name: string
  /** The entity fields that make it. */
  readonly from: readonly string[]
  readonly type: FieldType
  readonly personal: boolean
}

export interface ViewSubscriber {
  readonly name: string
  readonly type: string
  /** What it takes. */
  readonly entities: readonly ViewEntity[]
}

export interface ViewModelOptions {
  /** The entities in the order they are shown. Others are not counted: the screen has a bound. */
  readonly entities: readonly string[]
  /** In the order they are shown. */
  readonly subscribers: readonly ViewSubscriber[]
  readonly hints: Hints
  /** Changes that are always shown, and for longer, however busy it is. */
  readonly watch?: (entity: string, key: string) => boolean
  /** The time of day; default local. */
  readonly timeText?: (atMs: number) => string
}

export interface Applied {
  readonly subscriber: string
  readonly entity: string
  readonly key: string
  readonly version: Version
  /** Destination field → new value; empty for a delete. */
  readonly fields: Readonly<Record<string, Value>>
  readonly full: boolean
  readonly kind: 'create' | 'update' | 'snapshot' | 'delete'
  readonly latencyMs: number
}

export const LATENCY_SECONDS = 10
const HISTORY_SECONDS = 30
const RATE_SECONDS = 5
export const RECENT_MAX = 8
/** At most one new line of the list in this time, so that it can be read; watched changes always come. */
const RECENT_INTERVAL_MS = 500
const WATCHED_MAX = 3
const WATCHED_KEPT_MS = 20_000
/** Fields kept of one change; a line has no room for more. */
const FIELDS_MAX = 16
const SERVICES_MAX = 12

/** What a subscriber's mapping means for the screen: its fields under the destination's names, and which are personal. */
export function viewEntity(mapping: EntityMapping): ViewEntity {
  const personal = new Set(mapping.entity.fields.filter((field) => field.personal).map((field) => field.name))
  return {
    name: mapping.entity.name,
    fields: mapping.fields.map((field) => ({
      name: field.to,
      from: field.from,
      type: field.type,
      personal: field.from.some((from) => personal.has(from)),
    })),
  }
}

/** Gathers events into what the terminal shows. Pure: no clock, no output; memory is bounded whatever happens. */
export function createViewModel(startedAtMs: number, options: ViewModelOptions): ViewAccumulator {
  return new ViewAccumulator(startedAtMs, options)
}

interface EntityCount {
  progress: SnapshotProgress | null
  snapshotEndedAtMs: number
  changes: number
  patches: number
  gated: number
}

export class ViewAccumulator {
  readonly #startedAtMs: number
  readonly #options: ViewModelOptions
  readonly #services = new Map<string, ServiceView & { sinceMs: number }>()
  readonly #entities: ReadonlyMap<string, EntityCount>
  readonly #captured = new SecondCounts(HISTORY_SECONDS)
  readonly #published = new SecondCounts(HISTORY_SECONDS)
  readonly #patched = new SecondCounts(HISTORY_SECONDS)
  readonly #live = new SecondCounts(HISTORY_SECONDS)
  readonly #latency = new LatencyWindow(LATENCY_SECONDS)
  readonly #subscribers: ReadonlyMap<string, SubscriberTracker>
  /** Subscriber → entity → destination field. */
  readonly #fields: ReadonlyMap<string, ReadonlyMap<string, ReadonlyMap<string, ViewField>>>
  readonly #oneChange: OneChange
  #stage: Stage = 'starting'
  #deadLetters = 0
  #outage: Outage | null = null
  #sampled: RecentChange[] = []
  #watched: RecentChange[] = []

  constructor(startedAtMs: number, options: ViewModelOptions) {
    this.#startedAtMs = startedAtMs
    this.#options = options
    this.#entities = new Map(
      options.entities.map((name) => [
        name,
        { progress: null, snapshotEndedAtMs: 0, changes: 0, patches: 0, gated: 0 },
      ]),
    )
    const { subscribers } = options
    this.#subscribers = new Map(
      subscribers.map(({ name, type }) => [name, new SubscriberTracker(name, type, LATENCY_SECONDS)]),
    )
    const byField = ({ entities }: ViewSubscriber) =>
      new Map(entities.map(({ name, fields }) => [name, new Map(fields.map((field) => [field.name, field]))]))
    this.#fields = new Map(subscribers.map((subscriber) => [subscriber.name, byField(subscriber)]))
    this.#oneChange = new OneChange(originsOf(subscribers))
  }

  setStage(stage: Stage): void {
    this.#stage = stage
  }

  setService(name: string, state: ServiceView['state'], detail: string, nowMs: number): void {
    const before = this.#services.get(name)
    if (!before && this.#services.size >= SERVICES_MAX) return
    const sinceMs = before && before.state !== 'waiting' ? before.sinceMs : nowMs
    this.#services.set(name, { name, state, detail, sinceMs, tookMs: nowMs - sinceMs })
  }

  onSnapshotProgress(progress: SnapshotProgress, nowMs: number): void {
    const entity = this.#entities.get(progress.entity)
    if (!entity) return
    if (progress.done && !(entity.progress?.done && entity.progress.startedAtMs === progress.startedAtMs))
      entity.snapshotEndedAtMs = nowMs
    entity.progress = progress
  }

  onCaptured(count: number, nowMs: number): void {
    this.#captured.add(count, nowMs)
  }

  /** @param entity whose records these are; null when they are of several */
  onPublished(entity: string | null, count: number, nowMs: number): void {
    this.#published.add(count, nowMs)
    const counts = entity === null ? undefined : this.#entities.get(entity)
    if (counts) counts.changes += count
  }

  /** Each patch (or delete) that took effect at a subscriber. Snapshot rows count, but not for latency and not for the list. */
  onApplied(applied: Applied, nowMs: number): void {
    this.#patched.add(1, nowMs)
    const entity = this.#entities.get(applied.entity)
    if (entity) entity.patches++
    const isCopy = applied.kind === 'snapshot'
    this.#subscribers.get(applied.subscriber)?.patched(isCopy ? null : applied.latencyMs, nowMs)
    if (applied.kind === 'snapshot') return
    this.#live.add(1, nowMs)
    this.#latency.add(applied.latencyMs, nowMs)
    const watched = this.#options.watch?.(applied.entity, applied.key) ?? false
    const newest = this.#sampled[0]
    const change = this.#recentChange(applied, applied.kind, watched, nowMs)
    this.#oneChange.saw({ subscriber: applied.subscriber, version: applied.version, patch: change }, nowMs)
    if (!watched && newest && nowMs - newest.atMs < RECENT_INTERVAL_MS) return
    if (watched) this.#watched = [change, ...this.#watched].slice(0, WATCHED_MAX)
    else this.#sampled = [change, ...this.#sampled].slice(0, RECENT_MAX)
  }

  /** Records that changed nothing: duplicates, older versions, or fields that nobody mapped. */
  onGated(entity: string, count: number): void {
    const counts = this.#entities.get(entity)
    if (counts) counts.gated += count
  }

  /** @param subscriber null for one of a source's */
  onDeadLetter(subscriber: string | null, count = 1): void {
    this.#deadLetters += count
    if (subscriber !== null) this.#subscribers.get(subscriber)?.deadLettered(count)
  }

  /** An answer of a subscriber other than applied, by outcome. */
  onAnswered(subscriber: string, outcome: string, nowMs: number): void {
    this.#subscribers.get(subscriber)?.answered(outcome, nowMs)
  }

  onBreaker(subscriber: string, entityClass: string, state: BreakerState, nowMs: number): void {
    this.#subscribers.get(subscriber)?.breaker(entityClass, state, nowMs)
  }

  /** @param records published and not yet settled by it, over all entities */
  setLag(subscriber: string, records: number, nowMs: number): void {
    this.#subscribers.get(subscriber)?.setBehind(records, nowMs)
  }

  setOutage(outage: Outage | null): void {
    this.#outage = outage
  }

  snapshot(nowMs: number): ViewModel {
    const rate = (counts: SecondCounts) => counts.rate(RATE_SECONDS, this.#startedAtMs, nowMs)
    return {
      stage: this.#stage,
      upMs: nowMs - this.#startedAtMs,
      services: [...this.#services.values()].map(({ sinceMs, ...service }) =>
        service.state === 'starting' ? { ...service, tookMs: nowMs - sinceMs } : service,
      ),
      entities: [...this.#entities].map(([name, counts]) => ({
        name,
        snapshot: snapshotView(counts, nowMs),
        changes: counts.changes,
        patches: counts.patches,
        gated: counts.gated,
      })),
      rates: { captured: rate(this.#captured), published: rate(this.#published), patched: rate(this.#patched) },
      patchedHistory: this.#live.history(HISTORY_SECONDS, nowMs),
      latency: this.#latency.percentiles(nowMs),
      lag: this.#lag,
      deadLetters: this.#deadLetters,
      subscribers: [...this.#subscribers.values()].map((subscriber) => subscriber.view(nowMs)),
      oneChange: this.#oneChange.view(),
      outage: this.#outage,
      recent: this.#recent(nowMs),
      hints: this.#options.hints,
    }
  }

  get #lag(): number | null {
    const told = [...this.#subscribers.values()].flatMap(({ behind }) => (behind === null ? [] : [behind]))
    return told.length === 0 ? null : told.reduce((sum, behind) => sum + behind, 0)
  }

  #recent(nowMs: number): readonly RecentChange[] {
    const kept = this.#watched.filter((change) => nowMs - change.atMs < WATCHED_KEPT_MS)
    return [...kept, ...this.#sampled.slice(0, RECENT_MAX - kept.length)].sort((a, b) => b.atMs - a.atMs)
  }

  #recentChange(applied: Applied, kind: RecentChange['kind'], watched: boolean, nowMs: number): RecentChange {
    const timeText = this.#options.timeText ?? localTime
    const taken = this.#fields.get(applied.subscriber)?.get(applied.entity)
    const fields = Object.entries(applied.fields).map(([name, value]) => {
      const known = taken?.get(name)
      // A field nobody described could hold anything, so it is masked like a personal one.
      const masked = known?.personal ?? true
      return {
        name,
        text: masked ? MASK : valueText(value, known!.type, { nowMs, timeText }),
        masked,
        late: isBookKeeping(known?.type),
      }
    })
    return {
      atMs: nowMs,
      time: timeText(nowMs),
      subscriber: applied.subscriber,
      entity: applied.entity,
      key: applied.key,
      kind,
      full: applied.full,
      fields: [...fields.filter((field) => !field.late), ...fields.filter((field) => field.late)]
        .slice(0, FIELDS_MAX)
        .map(({ name, text, masked }) => ({ name, text, masked })),
      latencyMs: applied.latencyMs,
      watched,
    }
  }
}

function originsOf(subscribers: readonly ViewSubscriber[]): ReadonlyMap<string, Origins> {
  const fromOf = ({ fields }: ViewEntity) => new Map(fields.map(({ name, from }) => [name, from]))
  return new Map(
    subscribers.map(({ name, entities }) => [name, new Map(entities.map((entity) => [entity.name, fromOf(entity)]))]),
  )
}

/** Times of day say least about a change, so they come last and give way first. */
function isBookKeeping(type: FieldType | undefined): boolean {
  return type?.kind === 'timestamptz' || type?.kind === 'timestamp'
}

function snapshotView(counts: EntityCount, nowMs: number): SnapshotView | null {
  const progress = counts.progress
  if (!progress) return null
  const tookMs = Math.max(0, (progress.done ? counts.snapshotEndedAtMs : nowMs) - progress.startedAtMs)
  const rowsPerSecond = tookMs > 0 ? (progress.rowsDone * 1_000) / tookMs : 0
  const rowsLeft = Math.max(0, progress.rowsEstimated - progress.rowsDone)
  return {
    rowsDone: progress.rowsDone,
    rowsEstimated: progress.rowsEstimated,
    rowsPerSecond,
    leftMs: progress.done ? 0 : rowsPerSecond > 0 ? (rowsLeft * 1_000) / rowsPerSecond : null,
    done: progress.done,
    tookMs,
  }
}

function localTime(atMs: number): string {
  return new Date(atMs).toTimeString().slice(0, 8)
}
