import type { Duplex } from 'node:stream'
import { openReplication, quoteName, quoteText } from '../connection.ts'
import { LARGE_MESSAGE_BYTES } from './gather.ts'
import { POSTGRES_EPOCH_MICROS } from './pgoutput.ts'

/** A batch ends at either bound; a single message may be larger (PostgreSQL allows rows of 1 GB). */
const BATCH_MESSAGES_MAX = 1_000
const BATCH_BYTES_MAX = 1_048_576

/**
 * The server gives up a reader that says nothing for this long, and with it the slot becomes free: so this is how long a frozen process
 * can hold up another that waits to take over. We say something four times as often, whatever the consumer does.
 */
const SENDER_TIMEOUT_MS = 20_000
const STATUS_INTERVAL_MS = 5_000
/** How soon an acknowledgement is passed on. */
const STATUS_TICK_MS = 500
/** How long the server may say nothing although every status update asks for an answer. */
const SILENCE_MAX_MS = 300_000
const LAST_STATUS_WAIT_MS = 500

/** The kinds of message in the stream, and where a message of the log starts after its header. */
export const WAL_DATA = 0x77
export const KEEP_ALIVE = 0x6b
export const WAL_DATA_HEADER_BYTES = 25
const KEEP_ALIVE_BYTES = 18
/** The head of the message that carries one of the stream. */
const COPY_HEAD_BYTES = 5

export interface ReaderOptions {
  readonly url: string
  readonly application: string
  readonly slot: string
  readonly publication: string
  /** What may be confirmed to the slot now; asked at each status update. */
  readonly settled: () => bigint
  readonly nowMs?: () => number
  readonly senderTimeoutMs?: number
  readonly statusIntervalMs?: number
}

export interface Reader {
  /** The server process that sends the stream: who holds the slot. */
  readonly pid: number
  /**
   * The next messages, at least one, in the order of the stream; empty when `waitMs` passed without any.
   * Reads ahead by one batch at most: beyond it the socket is paused; and nothing behind a large message. A message may be used until
   * the next call: then the memory of a large one is freed.
   * @throws what broke the connection
   */
  read(waitMs?: number): Promise<readonly Buffer[]>
  /** Rejects with what broke the connection, for whoever waits for something else meanwhile. */
  broken(): Promise<never>
  /** Asks the server how far it has read; it answers with a keep-alive. */
  requestKeepAlive(): void
  /** Sends a last status update and closes the connection. Idempotent. */
  close(): Promise<void>
}

/**
 * Streams a replication slot's changes in pgoutput form from where the slot stands.
 * @throws the server's error, such as 55006 when the slot is in use
 */
export async function openReader(options: ReaderOptions): Promise<Reader> {
  const { url, application, slot, publication, settled, nowMs = Date.now } = options
  const statusIntervalMs = options.statusIntervalMs ?? STATUS_INTERVAL_MS
  const connection = openReplication(url, application, options.senderTimeoutMs ?? SENDER_TIMEOUT_MS)
  const starting = connection.sql.unsafe(
    `START_REPLICATION SLOT ${quoteName(slot)} LOGICAL 0/0 ` +
      `(proto_version '1', messages 'true', publication_names ${quoteText(quoteName(publication))})`,
  )
  let stream: Duplex
  try {
    stream = (await starting.writable()) as Duplex
  } catch (error) {
    await connection.close()
    throw connection.lastWords() ?? error
  }

  let queue: Buffer[] = []
  let queuedBytes = 0
  let paused = false
  /** A large message was handed out, and is in use until the next call. */
  let lent = false
  let closing: Promise<void> | undefined
  let broken: { readonly error: unknown } | undefined
  let wake: (() => void) | undefined
  const breaking = Promise.withResolvers<never>()
  breaking.promise.catch(() => {})
  let received = 0n
  let lastConfirmed = -1n
  let lastStatusMs = nowMs()
  let lastHeardMs = nowMs()

  const fail = (error: unknown) => {
    broken ??= { error }
    breaking.reject(broken.error)
    wake?.()
  }

  const resume = () => {
    if (!paused) return
    paused = false
    stream.resume()
  }

  const sendStatus = (askReply: boolean, sent?: () => void) => {
    if (!stream.writable) return sent?.()
    const confirmed = settled()
    lastConfirmed = confirmed
    lastStatusMs = nowMs()
    if (received < confirmed) received = confirmed
    stream.write(statusUpdate(received, confirmed, lastStatusMs, askReply), () => sent?.())
  }

  const lastStatus = () =>
    new Promise<void>((resolve) => {
      // A server that is not reading must not hold up the end.
      const timer = setTimeout(resolve, LAST_STATUS_WAIT_MS)
      sendStatus(false, () => {
        clearTimeout(timer)
        resolve()
      })
    })

  stream.on('data', (message: Buffer) => {
    lastHeardMs = nowMs()
    if (message[0] === KEEP_ALIVE && message.length === KEEP_ALIVE_BYTES) {
      received = message.readBigUInt64BE(1)
      // Answered on arrival, not in turn: the consumer may take longer than the server waits.
      if (message[17] === 1) sendStatus(false)
    }
    queue.push(message)
    queuedBytes += message.length
    if (queue.length >= BATCH_MESSAGES_MAX || queuedBytes >= BATCH_BYTES_MAX) {
      paused = true
      stream.pause()
    }
    wake?.()
  })
  stream.on('error', (error) => fail(connection.lastWords() ?? error))
  stream.on('end', () => fail(connection.lastWords() ?? new Error('the server ended the stream')))
  stream.on('close', () => fail(connection.lastWords() ?? new Error('the connection was closed')))

  const ticking = setInterval(
    () => {
      if (broken) return
      const now = nowMs()
      if (paused) lastHeardMs = now
      else if (now - lastHeardMs > SILENCE_MAX_MS)
        return fail(new Error(`the server said nothing for ${SILENCE_MAX_MS / 1_000} s`))
      const due = now - lastStatusMs >= statusIntervalMs
      if (due || settled() !== lastConfirmed) sendStatus(due)
    },
    Math.min(STATUS_TICK_MS, statusIntervalMs),
  )

  return {
    pid: (starting as unknown as { state: { pid: number } }).state.pid,
    async read(waitMs) {
      if (lent) {
        lent = false
        connection.release()
        if (queue.length === 0) resume()
      }
      if (queue.length === 0 && !broken) {
        let timer: NodeJS.Timeout | undefined
        await new Promise<void>((resolve) => {
          wake = resolve
          if (waitMs !== undefined) timer = setTimeout(resolve, waitMs)
        })
        wake = undefined
        clearTimeout(timer)
      }
      if (queue.length === 0 && broken) throw broken.error
      const batch = queue
      queue = []
      queuedBytes = 0
      lent = batch.some(isLarge)
      if (!lent) resume()
      return batch
    },
    broken: () => breaking.promise,
    requestKeepAlive: () => sendStatus(true),
    close() {
      closing ??= (async () => {
        clearInterval(ticking)
        queue = []
        if (!broken) await lastStatus()
        fail(new Error('the reader was closed'))
        stream.on('error', () => {})
        stream.resume()
        await connection.close()
      })()
      return closing
    },
  }
}

/** Whether it was gathered in a buffer of its own, which had the head of the message too. */
function isLarge(message: Buffer): boolean {
  return message.length >= LARGE_MESSAGE_BYTES - COPY_HEAD_BYTES
}

/** Where the server has read to, if the message is a keep-alive. */
export function keepAliveEnd(message: Buffer): bigint | undefined {
  return message[0] === KEEP_ALIVE ? message.readBigUInt64BE(1) : undefined
}

/** "Standby status update" of the streaming replication protocol: written, flushed and applied positions, time, reply wanted. */
function statusUpdate(received: bigint, confirmed: bigint, nowMs: number, askReply: boolean): Buffer {
  const bytes = Buffer.alloc(34)
  bytes[0] = 0x72
  bytes.writeBigUInt64BE(received, 1)
  bytes.writeBigUInt64BE(confirmed, 9)
  bytes.writeBigUInt64BE(confirmed, 17)
  bytes.writeBigInt64BE(BigInt(nowMs) * 1_000n - POSTGRES_EPOCH_MICROS, 25)
  bytes[33] = askReply ? 1 : 0
  return bytes
}

/**
 * The same stream with its messages thrown away: what capture's speed is measured against.
 * @returns how many rows each batch held
 */
export async function* bareReader(options: Omit<ReaderOptions, 'settled'>): AsyncGenerator<number> {
  const reader = await openReader({ ...options, settled: () => 0n })
  try {
    for (;;) {
      let rows = 0
      for (const message of await reader.read()) {
        if (message[0] !== WAL_DATA) continue
        const kind = message[WAL_DATA_HEADER_BYTES]
        if (kind === 0x49 || kind === 0x55 || kind === 0x44) rows++
      }
      yield rows
    }
  } finally {
    await reader.close()
  }
}
