import type net from 'node:net'
import { Readable } from 'node:stream'
import postgres from 'postgres'
import { TributaryError } from '../../../schemas/errors.ts'
import {
  connectSocket,
  finalError,
  firstOf,
  guardUrl,
  openGathered,
  quoteLiteral,
  type RawRow,
  type Sql,
  settings,
  sourceAddress,
  type Target,
  untilClosed,
} from '../connection.ts'
import { failure } from '../failure.ts'
import { LARGE_MESSAGE_BYTES, LargeTurn } from '../stream/gather.ts'
import { type CopyPieces, takePieces } from './copy-pieces.ts'

/** A server that is gone without a word is noticed some seconds after this much silence. */
const KEEP_ALIVE_SECONDS = 15
/** How long the server may take to take note that a statement is to be canceled. */
const CANCEL_WAIT_MS = 2_000
/** Rows are read in the order of an index, one process of the server at a time. */
const READING: Readonly<Record<string, string>> = {
  // Sorting what is left of the table anew for each chunk can look cheaper than its index to a planner with old statistics.
  enable_sort: 'off',
  max_parallel_workers_per_gather: '0',
  jit: 'off',
}

/**
 * A transaction that sees the database as of an exported snapshot, on one connection with one life: when that is lost, everything
 * that waits and everything asked later fails. While a COPY is being read nothing else can be asked.
 * The package's `begin` and `reserve` are not used: on a connection that has just closed, the one writes a ROLLBACK to a socket that is
 * gone, and of the other a statement that waited runs on the next connection, outside of the transaction.
 */
export interface SnapshotSession {
  /**
   * Runs one statement in the transaction; rows come as the server's text. An error ends the transaction, as in PostgreSQL.
   * @throws TributaryError `source-unreachable` when the connection is lost; as {@link failure} says for what the server refuses
   */
  query(statement: string): Promise<readonly RawRow[]>
  /**
   * `COPY (select) TO STDOUT`, as it arrives: a piece holds many rows, or one, or a part of one. The socket is paused while the consumer is
   * busy and 64 KB or one row are ahead. A large row is a piece by itself and may be used until the next one is
   * asked for: then its memory is freed, and no other session that shares the turn has one meanwhile.
   * What is not read to its end (aborted or left) is canceled at the server and ends the session.
   * @throws TributaryError as {@link query}; `source-unreachable` when `signal` aborts, so that a part is never taken for the whole
   */
  copy(select: string, signal: AbortSignal): AsyncGenerator<Buffer, void>
  /** Bytes that the connection has received since it was opened. */
  bytesRead(): number
  /** Cancels what runs and closes the connection, within some seconds. Idempotent. */
  end(): Promise<void>
}

/**
 * @param snapshotName what `pg_export_snapshot` or a slot's creation answered; its transaction must still be open
 * @param turn shared by sessions of which only one may have a large row in memory
 * @param signal ends the opening when it aborts
 * @throws TributaryError `source-unreachable` when there is no connection or the exporting transaction is over
 */
export async function openSnapshotSession(
  url: string,
  application: string,
  snapshotName: string,
  turn = new LargeTurn(),
  signal?: AbortSignal,
): Promise<SnapshotSession> {
  const { sql, target, socket, release, lost, tail } = openOnce(url, application, turn)
  let running = 0
  let ending: Promise<void> | undefined

  /** The server's last words say more than that the connection was closed. */
  const reasonOf = (error: unknown): unknown => (lost.aborted ? finalError(tail()) : undefined) ?? error

  async function run<T>(doing: string, send: () => PromiseLike<T>): Promise<T> {
    if (ending !== undefined || lost.aborted) throw failure(doing, ending ? ENDED : reasonOf(lost.reason))
    running++
    try {
      return await unlessLost(send(), lost)
    } catch (error) {
      throw failure(doing, reasonOf(error))
    } finally {
      running--
    }
  }

  const end = () => {
    ending ??= (async () => {
      if (running > 0) {
        // A server that computes does not see that its client left, and one that is writing to it does not see the cancel.
        const canceled = requestCancel(target, backend)
        socket()?.destroy()
        await canceled
      }
      const closed = socket() && untilClosed(socket()!)
      await sql.end({ timeout: 0 })
      await closed
    })()
    return ending
  }

  let backend: Backend | undefined
  const onAbort = () => void end()
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    if (signal?.aborted) throw failure('starting to read a snapshot', signal.reason)
    const begun = await run('starting to read a snapshot', () =>
      sql.unsafe('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'),
    )
    backend = begun.state as unknown as Backend
    await run('starting to read a snapshot', () => sql.unsafe(`SET TRANSACTION SNAPSHOT ${quoteLiteral(snapshotName)}`))
  } catch (error) {
    await end()
    throw isGone(error) ? exporterGone(error) : error
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }

  return {
    async query(statement) {
      const rows = await run('reading a snapshot', () => sql.unsafe(statement).raw())
      return rows as unknown as readonly RawRow[]
    },

    async *copy(select, signal) {
      const doing = 'reading the rows of a snapshot'
      const calledOff = () =>
        new TributaryError('source-unreachable', `${doing} was called off`, { cause: signal.reason })
      if (signal.aborted) throw calledOff()
      const onAbort = () => void end()
      signal.addEventListener('abort', onAbort, { once: true })
      let complete = false
      running++
      try {
        const pieces = await run(doing, () => startCopy(sql, `COPY (${select}) TO STDOUT`))
        for (let piece = await pieces.next(); piece !== undefined; piece = await pieces.next()) {
          yield piece.bytes
          if (piece.isLarge) release()
        }
        complete = true
      } catch (error) {
        throw signal.aborted ? calledOff() : failure(doing, reasonOf(error))
      } finally {
        signal.removeEventListener('abort', onAbort)
        if (!complete) await end()
        running--
      }
    },

    bytesRead: () => socket()?.bytesRead ?? 0,
    end,
  }
}

const ENDED = new Error('the reading of this snapshot was ended')

/** What a cancel request names a server process by. */
interface Backend {
  readonly pid: number
  readonly secret: number
}

/** A connection that the package cannot open a second time: a statement that waited for it would run outside of the transaction. */
function openOnce(address: string, application: string, turn: LargeTurn) {
  const { url, ssl } = sourceAddress(address)
  const common = { ...settings(application), max: 1, ssl } as const
  const target = guardUrl(() => postgres(url, common as postgres.Options<Record<string, never>>).options)
  let release = () => {}
  let socket: net.Socket | undefined
  let opened = false
  let tail: Buffer = Buffer.alloc(0)
  const lost = new AbortController()
  const sql = guardUrl(() =>
    postgres(url, {
      ...common,
      idle_timeout: 0,
      prepare: false,
      keep_alive: KEEP_ALIVE_SECONDS,
      connection: { ...common.connection, ...READING },
      ...firstOf(target),
      onclose: () => lost.abort(new Error('the connection was closed')),
      socket: async () => {
        if (opened) throw new Error('the connection was closed')
        opened = true
        socket = await connectSocket(target, (to) => {
          const gathered = openGathered(target, to, turn)
          release = gathered.release
          return gathered.socket
        })
        // Over TLS the package takes this listener away, and the last words are not known.
        socket.on('data', (chunk: Buffer) => {
          // A large message is freed when it was used; it is not the last words.
          if (chunk.length < LARGE_MESSAGE_BYTES) tail = chunk
        })
        return socket
      },
    } as unknown as postgres.Options<Record<string, never>>),
  )
  return { sql, target, socket: () => socket, release: () => release(), lost: lost.signal, tail: () => tail }
}

/** Waits for an answer, but not longer than the connection lives. */
async function unlessLost<T>(answer: PromiseLike<T>, lost: AbortSignal): Promise<T> {
  const { promise: given, reject: giveUp } = Promise.withResolvers<never>()
  const onLost = () => giveUp(lost.reason)
  lost.addEventListener('abort', onLost, { once: true })
  try {
    return await Promise.race([answer, given])
  } finally {
    lost.removeEventListener('abort', onLost)
  }
}

function startCopy(sql: Sql, statement: string): Promise<CopyPieces> {
  const query = sql.unsafe(statement) as unknown as { resolve(answer: unknown): void; readable(): Promise<Readable> }
  const { resolve } = query
  // Called with the stream, and when the statement is over once more with its result. Whoever awaits the stream has it too late: rows, or an
  // error in the first of them, can arrive with it.
  return new Promise((answer, reject) => {
    query.resolve = (given) => {
      if (given instanceof Readable) answer(takePieces(given))
      resolve(given)
    }
    query.readable().catch(reject)
  })
}

/** Asks the server to cancel what a session runs: "Canceling Requests in Progress" of the protocol. Its answer is only that it hangs up. */
async function requestCancel(target: Target, backend: Backend | undefined): Promise<void> {
  if (backend === undefined) return
  const request = Buffer.alloc(16)
  request.writeInt32BE(16, 0)
  request.writeInt32BE(80_877_102, 4)
  request.writeInt32BE(backend.pid, 8)
  request.writeUInt32BE(backend.secret >>> 0, 12)
  const { promise: over, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, CANCEL_WAIT_MS)
  // A server that cannot be reached for it has lost the session as well, or will when it next writes.
  connectSocket(target).then((socket) => {
    socket.on('error', () => socket.destroy())
    socket.on('close', resolve)
    socket.setTimeout(CANCEL_WAIT_MS, () => socket.destroy())
    socket.resume()
    socket.end(request)
  }, resolve)
  await over
  clearTimeout(timer)
}

/** SQLSTATEs of a snapshot name that is unknown by now, from release to release. */
const GONE_STATES = ['22023', '42704', '55000']

function isGone(error: unknown): boolean {
  const cause = error instanceof TributaryError ? error.cause : undefined
  return GONE_STATES.includes(String((cause as { code?: unknown } | undefined)?.code))
}

function exporterGone(cause: unknown): TributaryError {
  return new TributaryError(
    'source-unreachable',
    'the transaction that exported a snapshot is over, so it cannot be read. A new one is taken when it is tried again',
    { cause },
  )
}
