import { z } from 'zod'
import { TributaryError } from '../../../schemas/errors.ts'
import type { PublishedRange } from '../../source.ts'
import { type CapturedTable, type LocatedTable, objectName } from '../captured-table.ts'
import { type Condition, checkCondition, OPERATORS } from './condition.ts'

/** How far the snapshots of one entity got. Stored under `snapshot/<entity>`; pure data and pure steps. */
export interface EntityProgress {
  /** The epoch that all this belongs to: in another one nothing of it counts. */
  readonly epoch: number
  /** The last whole snapshot: everything the table had at `position`, and everything later through the stream. */
  readonly whole: WholeSnapshot | null
  readonly running: RunningSnapshot | null
  /** Snapshots asked for on demand that wait for their turn. */
  readonly requests: readonly SnapshotRequest[]
  /** What became of the last requests, for those who asked; the newest last. */
  readonly answers: readonly SnapshotAnswer[]
  /** How the table is published (catalog/publishing.ts); null when that was not looked at yet. */
  readonly published: string | null
}

export interface SnapshotAnswer {
  readonly id: string
  readonly rows: number
  /** Why it was not carried out; null when it was. */
  readonly problem: string | null
}

export interface WholeSnapshot {
  /** The point of its first rows, as a decimal LSN. */
  readonly position: string
  /** Its fields, each with the column it was read from: `field=schema.table.column@place` (catalog/place.ts). */
  readonly fields: readonly string[]
}

export interface RunningSnapshot {
  /** Of the request; null for one that the pipeline itself wanted. */
  readonly id: string | null
  /** Which rows; empty for all. */
  readonly where: readonly Condition[]
  readonly fields: readonly string[]
  /** The point of its first rows; null before there are any. */
  readonly first: string | null
  /** The key of the last row read, in the order rows are read in; null before there is one. */
  readonly after: readonly string[] | null
  /** The order that `after` is a place in: the key's columns with what sorts them, in words (read-chunk.ts). */
  readonly order: readonly string[] | null
  readonly rowsRead: boolean
  readonly rowsDone: number
  readonly rowsEstimated: number | null
  readonly startedAtMs: number
  /** What is left to look through for keys that the table does not have any more; null before it is known, and for a part of the rows. */
  readonly sweep: PublishedRange | null
}

export interface SnapshotRequest {
  readonly id: string
  readonly where: readonly Condition[]
}

export const REQUESTS_MAX = 20
const ANSWERS_MAX = 5

const condition = z.object({ field: z.string(), op: z.enum(OPERATORS), value: z.string() })
const point = z.string().regex(/^\d{1,20}$/)
const schema: z.ZodType<EntityProgress> = z.object({
  epoch: z.int().positive(),
  whole: z.object({ position: point, fields: z.array(z.string()) }).nullable(),
  running: z
    .object({
      id: z.string().nullable(),
      where: z.array(condition),
      fields: z.array(z.string()),
      first: point.nullable(),
      after: z.array(z.string()).nullable(),
      order: z.array(z.string()).nullable().default(null),
      rowsRead: z.boolean(),
      rowsDone: z.number(),
      rowsEstimated: z.number().nullable(),
      startedAtMs: z.number(),
      sweep: z.record(z.string(), z.object({ next: point, end: point })).nullable(),
    })
    .nullable(),
  requests: z.array(z.object({ id: z.string(), where: z.array(condition) })),
  answers: z.array(z.object({ id: z.string(), rows: z.number(), problem: z.string().nullable() })),
  // Not in what earlier releases stored.
  published: z.string().nullable().default(null),
})

/** @returns undefined when the stored value is of another form */
export function parseProgress(value: unknown): EntityProgress | undefined {
  return schema.safeParse(value).data
}

/** A table as declared, or better as it stands in the catalogue. */
type Placed = CapturedTable & Partial<Pick<LocatedTable, 'places'>>

/** Each field with the column it is read from: a field that is read from elsewhere is on the topic with other values. */
function placesOf(table: Placed): readonly string[] {
  return table.entity.fields.map(
    ({ name }) => `${name}=${objectName(table.table)}.${table.columns[name]}@${table.places?.[name] ?? ''}`,
  )
}

/** The progress with which an entity is read again as a whole. */
export function forgotten(progress: EntityProgress): EntityProgress {
  return { ...progress, whole: null, running: null, requests: askedAgain(progress) }
}

/** Published otherwise than before, changes may be missing, even if all is as it was again: then the entity is read again as a whole. */
function publishedAs(progress: EntityProgress, published: string | null): EntityProgress {
  const isSame = progress.published === null || progress.published === published
  return { ...(isSame ? progress : forgotten(progress)), published }
}

/** The requests when what runs is given up: whoever asked for it still waits for an answer. */
function askedAgain({ running, requests }: EntityProgress): readonly SnapshotRequest[] {
  return running?.id == null ? requests : [{ id: running.id, where: running.where }, ...requests]
}

/** Answers what cannot be carried out any more, because its filter names a field that the declaration has not, or of another type. */
function refuseUnfit({ entity }: Placed, progress: EntityProgress): EntityProgress {
  let fit = progress
  const { running } = progress
  const problem = running && problemOf(running.where, entity)
  if (running && problem) {
    fit = { ...fit, running: null }
    if (running.id !== null) fit = withAnswer(fit, { id: running.id, rows: 0, problem })
  }
  for (const { id, where } of progress.requests) {
    const why = problemOf(where, entity)
    if (why === null) continue
    fit = withAnswer({ ...fit, requests: fit.requests.filter((one) => one.id !== id) }, { id, rows: 0, problem: why })
  }
  return fit
}

function problemOf(where: readonly Condition[], entity: Placed['entity']): string | null {
  try {
    for (const one of where) checkCondition(one, entity)
    return null
  } catch (error) {
    if (!(error instanceof TributaryError)) throw error
    return error.message
  }
}

/**
 * What is to be done for a table as it is declared now, from what was stored: a whole snapshot where the topic lacks rows or fields.
 * Fields that are no longer captured are forgotten: they miss changes from now on, so captured again they need a snapshot.
 * @param stored undefined when there is nothing, or nothing of this epoch
 * @param published how the table is published now; what is read from now on is newer than that
 */
export function progressOf(
  table: Placed,
  stored: EntityProgress | undefined,
  epoch: number,
  nowMs: number,
  published: string | null,
): EntityProgress {
  const places = placesOf(table)
  const fit = stored && refuseUnfit(table, publishedAs(stored, published))
  const isKnown = fit?.epoch === epoch
  const whole =
    isKnown && fit.whole ? { ...fit.whole, fields: fit.whole.fields.filter((one) => places.includes(one)) } : null
  const running = isKnown && fit.running && covers(fit.running.fields, places) ? fit.running : null
  const isWhole = whole !== null && covers(whole.fields, places)
  const isKept = running === null ? isWhole : isWhole || running.where.length === 0
  const now = isKept ? running : startRun(places, null, nowMs)
  const requests = fit === undefined ? [] : now === fit.running ? fit.requests : askedAgain(fit)
  return { epoch, whole, running: now, requests, answers: fit?.answers ?? [], published }
}

function covers(fields: readonly string[], places: readonly string[]): boolean {
  return places.every((place) => fields.includes(place))
}

/** Lets the next request begin when nothing runs; the same progress when there is nothing to begin. */
export function startNext(table: Placed, progress: EntityProgress, nowMs: number): EntityProgress {
  const [next, ...requests] = progress.requests
  if (progress.running !== null || next === undefined) return progress
  return { ...progress, running: startRun(placesOf(table), next, nowMs), requests }
}

function startRun(fields: readonly string[], request: SnapshotRequest | null, nowMs: number): RunningSnapshot {
  return {
    id: request?.id ?? null,
    where: request?.where ?? [],
    fields,
    first: null,
    after: null,
    order: null,
    rowsRead: false,
    rowsDone: 0,
    rowsEstimated: null,
    startedAtMs: nowMs,
    sweep: null,
  }
}

/** Whether a request was taken in before: after a crash its message comes again, at times when it was answered long since. */
export function isKnownRequest({ running, requests, answers }: EntityProgress, id: string): boolean {
  return running?.id === id || [...requests, ...answers].some((one) => one.id === id)
}

/** @returns `full` when too many wait */
export function withRequest(progress: EntityProgress, request: SnapshotRequest): EntityProgress | 'full' {
  if (progress.requests.length >= REQUESTS_MAX) return 'full'
  return { ...progress, requests: [...progress.requests, request] }
}

/** A step of the running snapshot. */
export function withRun(progress: EntityProgress, step: Partial<RunningSnapshot>): EntityProgress {
  return { ...progress, running: { ...progress.running!, ...step } }
}

/**
 * The step with which rows are read in `order` from here on; undefined when they are already. A place in another order is none in this one:
 * going on after it would pass over rows that were not read, so the rows are read from the first again.
 */
export function inOrder(run: RunningSnapshot, order: readonly string[]): Partial<RunningSnapshot> | undefined {
  if (JSON.stringify(run.order) === JSON.stringify(order)) return undefined
  return run.after === null ? { order } : { order, after: null, rowsDone: 0 }
}

/** The running snapshot is wholly on the topic. */
export function finishRun(progress: EntityProgress): EntityProgress {
  const { id, where, first, fields, rowsDone } = progress.running!
  const whole = where.length === 0 ? { position: first!, fields } : progress.whole
  const finished = { ...progress, whole, running: null }
  return id === null ? finished : withAnswer(finished, { id, rows: rowsDone, problem: null })
}

/** The running snapshot cannot be carried out as it was asked for. */
export function refuseRun(progress: EntityProgress, problem: string): EntityProgress {
  return withAnswer({ ...progress, running: null }, { id: progress.running!.id!, rows: 0, problem })
}

export function withAnswer(progress: EntityProgress, answer: SnapshotAnswer): EntityProgress {
  return { ...progress, answers: [...progress.answers, answer].slice(-ANSWERS_MAX) }
}

/**
 * From where on the topic needs every change: what came before is in a snapshot that was read later, so it may be left out where it
 * cannot be read. Undefined while no snapshot has begun.
 */
export function neededFrom({ whole, running }: EntityProgress): bigint | undefined {
  const isWhole = whole !== null && (running === null || covers(whole.fields, running.fields))
  const from = isWhole ? whole.position : running?.first
  return from ? BigInt(from) : undefined
}
