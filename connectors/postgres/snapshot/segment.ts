import type { CaptureContext, SnapshotProgress, SourceEvent } from '../../source.ts'
import type { Types } from '../catalog/column-fit.ts'
import type { OnNotice } from '../notice.ts'
import { loadPlace, tellIfWaiting } from '../slot/slot.ts'
import { type PointOptions, type SnapshotPoint, takePoint } from './point.ts'
import { readTable } from './read-table.ts'
import type { SnapshotWork } from './work.ts'

/** How long the stream holds for one segment: at least, and at most. In between, as long as its point took to get. */
const HOLD_MS_MIN = 2_000
const HOLD_MS_MAX = 60_000

export interface SegmentOptions extends PointOptions {
  readonly source: string
  readonly epoch: bigint
  readonly types: Types
  readonly work: SnapshotWork
  readonly context: CaptureContext
  readonly chunkRows: number
  /** The most rows this segment may read; undefined for no limit. */
  readonly rowsMax: number | undefined
  readonly capturedAt: () => bigint
  readonly onProgress: (progress: SnapshotProgress) => void
  readonly onNotice: OnNotice
}

/**
 * A part of the snapshots under way, put into the stream at its consistent point. The stream goes on below the point and holds at the
 * first commit from it on, for a bounded time; so per key a snapshot's version comes after all older ones and before all newer ones.
 * What the time does not suffice for is the next segment's, at a point of its own.
 */
export interface Segment {
  /** Commits below this may be streamed now: the point, or while it is not known yet, the end of the log before it was asked for. */
  bound(): bigint
  /** Whether {@link point} answers at once, be it that the point cannot be had. */
  isKnown(): boolean
  /** Waits until the point is known. */
  point(): Promise<bigint>
  /** Rows and deletes as of the point, with the state after them. */
  events(): AsyncGenerator<readonly SourceEvent[]>
  rowsRead(): number
  /** Whether other people's locks, or tables that were rewritten, left nothing to read. */
  isBlocked(): boolean
  end(): Promise<void>
}

/** Starts taking a point. The slot must exist, or what happens until streaming starts would be in neither. */
export async function startSegment(options: SegmentOptions): Promise<Segment> {
  const { source, work, onNotice } = options
  const ended = new AbortController()
  const signal = AbortSignal.any([options.signal, ended.signal])
  // Any point taken after this is not below it.
  const floor = (await loadPlace(options.sql)).end
  const startedMs = performance.now()
  const sessions = Math.min(options.sessions, work.open().length)
  let known: SnapshotPoint | undefined
  let failed = false
  let tookMs = 0
  let rows = 0
  let heldTables = 0
  let started = false
  const taken = tellIfWaiting(options.sql, `the snapshot of source "${source}"`, onNotice, () =>
    takePoint({ ...options, sessions, signal }),
  ).then((point) => {
    known = point
    tookMs = performance.now() - startedMs
    return point
  })
  // Its failure is thrown where the point is needed.
  taken.catch(() => {
    failed = true
  })

  async function* events(): AsyncGenerator<readonly SourceEvent[]> {
    const point = await taken
    // Where nothing is on the topic yet, nobody waits for the stream.
    const holdMs = work.isFirst() ? HOLD_MS_MAX : Math.min(HOLD_MS_MAX, Math.max(HOLD_MS_MIN, tookMs))
    const until = performance.now() + holdMs
    const isOver = () => performance.now() >= until || (options.rowsMax !== undefined && rows >= options.rowsMax)
    started = true
    // What waits for a lock or for the server does not see the signal.
    signal.addEventListener('abort', () => void point.end(), { once: true })
    const queue = [...work.open()]
    const workers = point.sessions.map(async function* (session) {
      const reading = {
        ...options,
        point,
        session,
        signal,
        isOver,
        onRows: (count: number) => (rows += count),
        onHeld: () => heldTables++,
      }
      let isUsable = true
      while (isUsable && queue.length > 0 && !isOver() && !signal.aborted)
        isUsable = yield* readTable(queue.shift()!, reading)
    })
    // What was read last may be a large row: read ahead, another would be in memory with it.
    yield* merge(workers, () => !point.turn.isTaken)
  }

  return {
    bound: () => known?.position ?? floor,
    isKnown: () => failed || known !== undefined,
    point: async () => (await taken).position,
    events,
    rowsRead: () => rows,
    isBlocked: () => started && heldTables === 0,
    async end() {
      // The server may make it wait for other people's transactions, for as long as those like.
      ended.abort()
      const point = await taken.catch(() => undefined)
      await point?.end()
    },
  }
}

/** What several generators yield, each in its own order; one value of each is made ahead, if it may. */
async function* merge<T>(generators: readonly AsyncGenerator<T>[], mayBeAhead: () => boolean): AsyncGenerator<T> {
  const ask = async (generator: AsyncGenerator<T>) => ({ generator, result: await generator.next() })
  const asked = new Map<AsyncGenerator<T>, ReturnType<typeof ask>>()
  const askAgain = (generator: AsyncGenerator<T>) => {
    const pending = ask(generator)
    // One that fails is heard through the race; the others' failures after it add nothing.
    pending.catch(() => {})
    asked.set(generator, pending)
  }
  generators.forEach(askAgain)
  try {
    while (asked.size > 0) {
      const { generator, result } = await Promise.race(asked.values())
      if (result.done) asked.delete(generator)
      else if (mayBeAhead()) {
        askAgain(generator)
        yield result.value
      } else {
        yield result.value
        askAgain(generator)
      }
    }
  } finally {
    await Promise.allSettled(generators.map((generator) => generator.return(undefined)))
  }
}
