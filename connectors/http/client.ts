import http from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import { systemCode, TributaryError } from '../../schemas/errors.ts'
import type { Outcome } from '../destination.ts'
import { type AddressCheck, AddressRefused, createAddressCheck } from './addresses.ts'

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Whole, with what is asked for. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** The most bytes of the answer; a longer one fails the request. */
  readonly answerBytesMax?: number
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
}

/**
 * No answer came. `reached` tells whether the other side may have had the request: `no` when nothing of it was written, because no connection
 * came about or the one at hand had been closed; else `maybe`. The message holds no path, as keys stand in paths.
 */
export class NoAnswer extends Error {
  readonly reached: 'no' | 'maybe'

  constructor(reached: 'no' | 'maybe', reason: string, cause: unknown) {
    super(reason, { cause })
    this.name = 'NoAnswer'
    this.reached = reached
  }
}

export interface HttpOptions {
  /** Private and reserved addresses that may be connected to, such as `127.0.0.1` or `10.0.0.0/8`. */
  readonly allowAddresses: readonly string[]
  readonly connections: number
  /** How long one request may take, from first byte to last, in milliseconds. */
  readonly timeoutMs: number
}

export interface HttpClient {
  /**
   * Sends a request once and reads its answer, whatever its status. Redirects are not followed, and compressed answers are neither asked
   * for nor read: a small one can become a large one.
   * @throws NoAnswer
   */
  send(request: HttpRequest, signal?: AbortSignal): Promise<HttpAnswer>
  close(): void
}

const ANSWER_BYTES_MAX = 4 * 1024 * 1024
/** Below what servers and load balancers close idle connections at, so that a request is seldom written into a closed one. */
const IDLE_MS = 4_000
/** How many connections that turn out to be closed are passed over for one request. */
const STALE_MAX = 3

/** A client for the systems that changes are applied to: bounded in time, bytes and connections; addresses are checked at connect time. */
export function createHttpClient(options: HttpOptions): HttpClient {
  const check = createAddressCheck(options.allowAddresses)
  const agentOptions = { keepAlive: true, maxSockets: options.connections, timeout: IDLE_MS, lookup: check.lookup }
  const pool: Pool = {
    check,
    agents: { 'http:': new http.Agent(agentOptions), 'https:': new https.Agent(agentOptions) },
    used: new WeakSet(),
  }
  return {
    send: (request, signal) => send(request, options.timeoutMs, pool, signal),
    close() {
      for (const agent of Object.values(pool.agents)) agent.destroy()
    },
  }
}

interface Pool {
  readonly check: AddressCheck
  readonly agents: Readonly<Record<string, http.Agent>>
  /** Connections that were ready for a request once. Node's `reusedSocket` leaves out those that pass from one request to a waiting one. */
  readonly used: WeakSet<Socket>
}

/** How far one attempt got. */
interface Attempt {
  written: boolean
  onUsedConnection: boolean
}

async function send(
  request: HttpRequest,
  timeoutMs: number,
  pool: Pool,
  signal: AbortSignal | undefined,
): Promise<HttpAnswer> {
  // Not AbortSignal.timeout and AbortSignal.any: theirs would live on for the whole time after the answer.
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(), timeoutMs)
  const pass = () => limit.abort()
  signal?.addEventListener('abort', pass)
  let host = 'the system'
  let attempt: Attempt = { written: false, onUsedConnection: false }
  try {
    const url = new URL(request.url)
    host = url.host
    pool.check.checkHost(url.hostname)
    for (let stale = 0; ; stale++) {
      signal?.throwIfAborted()
      attempt = { written: false, onUsedConnection: false }
      try {
        return await exchange(request, url, pool, limit.signal, attempt)
      } catch (error) {
        // It was closed while it idled, and nothing of the request was written to it: another one will do.
        if (attempt.written || !attempt.onUsedConnection || limit.signal.aborted || stale === STALE_MAX) throw error
      }
    }
  } catch (error) {
    if (error instanceof NoAnswer) throw error
    const ended = signal?.aborted ? 'was left before it answered' : `did not answer within ${timeoutMs / 1000} s`
    const reason = limit.signal.aborted || signal?.aborted ? `${host} ${ended}` : reasonOf(error, host)
    throw new NoAnswer(attempt.written ? 'maybe' : 'no', reason, bare(error))
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', pass)
  }
}

async function exchange(
  { method, headers = {}, body, answerBytesMax = ANSWER_BYTES_MAX }: HttpRequest,
  url: URL,
  pool: Pool,
  signal: AbortSignal,
  attempt: Attempt,
): Promise<HttpAnswer> {
  const isTls = url.protocol === 'https:'
  const agent = pool.agents[url.protocol]
  // Node would take an agent of its own for none, and that one checks no addresses.
  if (agent === undefined) throw new Error('only http and https are spoken')
  const answered = Promise.withResolvers<http.IncomingMessage>()
  const outgoing = (isTls ? https : http).request(url, {
    method,
    headers: {
      'accept-encoding': 'identity',
      ...headers,
      ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
    },
    agent,
    signal,
  })
  outgoing.on('response', answered.resolve).on('error', answered.reject)
  // Node tells a request that waits for a connection only once it would have one.
  signal.addEventListener('abort', () => answered.reject(new Error('called off')), { once: true })
  // Nothing is written before `end`, so whatever fails before it surely did not arrive.
  const write = () => {
    if (outgoing.destroyed) return
    attempt.written = true
    outgoing.end(body)
  }
  outgoing.on('socket', (socket) => {
    if (!pool.used.has(socket)) {
      socket.once(isTls ? 'secureConnect' : 'connect', () => {
        pool.used.add(socket)
        write()
      })
      return
    }
    attempt.onUsedConnection = true
    // A close that has come in is only seen when node looks: at the end of this round for what it holds already, in the next for the rest.
    setImmediate(() => setImmediate(write))
  })
  const incoming = await answered.promise
  return {
    status: incoming.statusCode!,
    headers: incoming.headers,
    body: await readBody(incoming, answerBytesMax),
  }
}

async function readBody(incoming: http.IncomingMessage, bytesMax: number): Promise<Buffer> {
  const encoding = incoming.headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') {
    incoming.destroy()
    throw new NoAnswer('maybe', 'a compressed answer, which was not asked for', null)
  }
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > bytesMax) throw new NoAnswer('maybe', `an answer of more than ${bytesMax} bytes`, null)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function reasonOf(error: unknown, host: string): string {
  if (error instanceof AddressRefused) return error.message
  return `${host} did not answer: ${systemCode(error) ?? 'no connection'}`
}

/** An error without what node hangs on it: the URL with the key, the raw bytes of an answer that repeats what it was sent, certificates. */
function bare(error: unknown): Error {
  if (error instanceof AddressRefused) return error
  const code = systemCode(error)
  const message = error instanceof Error ? error.message : 'not an error'
  return code === undefined ? new Error(message) : Object.assign(new Error(message), { code })
}

/** The outcome of a request that got no answer. */
export function unanswered(error: unknown): Outcome {
  if (!(error instanceof NoAnswer)) throw error
  const named = new TributaryError('destination-unreachable', error.message, { cause: error })
  return { kind: error.reached === 'no' ? 'unavailable' : 'unknown', error: named }
}

/** The longest wait that is taken from a header. */
const RETRY_AFTER_MS_MAX = 3_600_000

/** `Retry-After` in milliseconds: seconds, or a date; `fallbackMs` where there is none that can be read. */
export function retryAfterMs(headers: http.IncomingHttpHeaders, fallbackMs: number, now = Date.now()): number {
  const text = headers['retry-after']
  if (text === undefined) return fallbackMs
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), RETRY_AFTER_MS_MAX) : fallbackMs
}
