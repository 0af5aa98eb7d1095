import http from 'node:http'
import https from 'node:https'
import { TributaryError } from '../../schemas/errors.ts'
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
 * No answer came. `reached` tells whether the other side may have had the request: `no` when no connection was made, or the connection was
 * refused before anything was written; else `maybe`. The message holds no path, as keys stand in paths.
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
   * Sends a request once and reads its answer, whatever its status. Redirects are not followed.
   * @throws NoAnswer
   */
  send(request: HttpRequest, signal?: AbortSignal): Promise<HttpAnswer>
  close(): void
}

const ANSWER_BYTES_MAX = 4 * 1024 * 1024
/** Below what servers and load balancers close idle connections at, so that a request is seldom written into a closed one. */
const IDLE_MS = 4_000

/** A client for the systems that changes are applied to: bounded in time, bytes and connections; addresses are checked at connect time. */
export function createHttpClient(options: HttpOptions): HttpClient {
  const check = createAddressCheck(options.allowAddresses)
  const agentOptions = { keepAlive: true, maxSockets: options.connections, timeout: IDLE_MS, lookup: check.lookup }
  const agents = { 'http:': new http.Agent(agentOptions), 'https:': new https.Agent(agentOptions) }
  return {
    send: (request, signal) => send(request, options.timeoutMs, check, agents, signal),
    close() {
      for (const agent of Object.values(agents)) agent.destroy()
    },
  }
}

async function send(
  request: HttpRequest,
  timeoutMs: number,
  check: AddressCheck,
  agents: Readonly<Record<'http:' | 'https:', http.Agent>>,
  signal: AbortSignal | undefined,
): Promise<HttpAnswer> {
  const url = new URL(request.url)
  const protocol = url.protocol as 'http:' | 'https:'
  const limit = AbortSignal.timeout(timeoutMs)
  // A connection that is there already may have taken the request, even if it then breaks; one that is being made has not.
  const state = { written: false }
  try {
    check.checkHost(url.hostname)
    signal?.throwIfAborted()
    const answered = Promise.withResolvers<http.IncomingMessage>()
    const { method, headers = {}, body } = request
    const outgoing = (protocol === 'https:' ? https : http).request(url, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }) },
      agent: agents[protocol],
      signal: signal ? AbortSignal.any([limit, signal]) : limit,
    })
    outgoing.on('response', answered.resolve).on('error', answered.reject)
    outgoing.on('socket', (socket) => {
      const ready = protocol === 'https:' ? 'secureConnect' : 'connect'
      if (!socket.connecting && outgoing.reusedSocket) state.written = true
      else socket.once(ready, () => (state.written = true))
    })
    outgoing.end(body)
    const incoming = await answered.promise
    return {
      status: incoming.statusCode!,
      headers: incoming.headers,
      body: await readBody(incoming, request.answerBytesMax ?? ANSWER_BYTES_MAX),
    }
  } catch (error) {
    if (error instanceof NoAnswer) throw error
    const reached = state.written ? 'maybe' : 'no'
    throw new NoAnswer(reached, reasonOf(error, url.host, limit.aborted ? timeoutMs : null), error)
  }
}

async function readBody(incoming: http.IncomingMessage, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > bytesMax) throw new NoAnswer('maybe', `an answer of more than ${bytesMax} bytes`, null)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function reasonOf(error: unknown, host: string, lateMs: number | null): string {
  if (lateMs !== null) return `${host} did not answer within ${lateMs / 1000} s`
  if (error instanceof AddressRefused) return error.message
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'no connection'
  return `${host} did not answer: ${code}`
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
