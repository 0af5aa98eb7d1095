import { once } from 'node:events'
import { realpathSync } from 'node:fs'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { z } from 'zod'

// What all sandboxes share: a server on a loopback port, misbehaviour on demand, a log of the requests, and endpoints to steer it from another
// process. What a system stores and answers is its own sandbox's.

export interface SandboxRequest {
  readonly method: string
  /** Without what follows `?`, percent-encoded as it came. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface SandboxAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** A string or bytes go as they are; anything else as JSON; absent for no body. */
  readonly body?: unknown
}

/** One system: what its sandbox gives to {@link startSandbox}. */
export interface SandboxSystem {
  /** Answers a request, at once or later. One that throws is answered with 500 and its message. */
  handle(request: SandboxRequest, asked: Asked): SandboxAnswer | Promise<SandboxAnswer>
  /** What it holds of a collection, as JSON values. */
  objects(target: string): readonly unknown[]
  /** Token endpoints: no misbehaviour but `down` touches them, and their bodies are not logged. */
  isToken?(request: SandboxRequest): boolean
  /** Every token given so far is refused from now on. */
  expireTokens?(): void
  /** How this system says that there were too many requests; 429 with `Retry-After` where it is not told. */
  throttled?(retryAfterSeconds: number, request: SandboxRequest): SandboxAnswer
  /** How this system words a failure of its own; an empty answer with the status where it is not told. */
  failed?(status: number, request: SandboxRequest): SandboxAnswer
  /** Headers whose values are secret, in lower case, besides `authorization` and `cookie`: they are not logged. */
  readonly secretHeaders?: readonly string[]
}

export interface Asked {
  /** Whether it was told to reject this record, by the record's key. How a system rejects is its own matter. */
  rejects(key: string): boolean
}

const misbehaviour = z.strictObject({
  /** Every request waits so long before it is looked at. */
  latencyMs: z.number().int().min(0).max(600_000).optional(),
  /** Too many requests, from the one that follows the next `after` on (0). */
  throttle: z
    .strictObject({ retryAfterSeconds: z.number().min(0).max(3600), after: z.number().int().min(0).optional() })
    .optional(),
  /** Answers with this status, without looking at the request; with `applied`, after it was carried out. */
  status: z.number().int().min(400).max(599).optional(),
  applied: z.boolean().optional(),
  /** The connection is reset, before or after the request was carried out. */
  reset: z.enum(['before', 'after']).optional(),
  /** Says nothing and keeps the connection open, before or after the request was carried out. */
  hang: z.enum(['before', 'after']).optional(),
  /** Records that are refused although they are good. */
  rejectKeys: z.array(z.string()).max(10_000).optional(),
  /** Every token given so far is refused: once, when it is told so. */
  expireTokens: z.boolean().optional(),
  /** Nobody listens: connections are refused. */
  down: z.boolean().optional(),
  /** Only requests with these methods misbehave. */
  methods: z.array(z.string()).optional(),
  /** `throttle`, `status`, `reset` and `hang` end after so many requests. */
  times: z.number().int().min(1).optional(),
})

/** All it does wrong from now on; `{}` for nothing. */
export type Misbehaviour = z.infer<typeof misbehaviour>

export interface LoggedRequest {
  /** 1 for the first, in the order in which they came. */
  readonly number: number
  readonly atMs: number
  readonly method: string
  /** With what follows `?`. */
  readonly path: string
  /** Values that are secret are `…`. */
  readonly headers: IncomingHttpHeaders
  /** The first {@link LOGGED_BODY_CHARS} characters. */
  readonly body: string
  /** The status it was answered with, how it was left, or null while it goes on. */
  readonly result: number | 'reset-before' | 'reset-after' | 'hung-before' | 'hung-after' | 'gone' | null
}

export interface Sandbox {
  /** `http://127.0.0.1:port` or what the options say, without a slash at the end. */
  readonly url: string
  /** Where `/__sandbox/*` is served even while the system is down; else it is served at {@link url} too. */
  readonly controlUrl: string
  /** Replaces what it was told before. Settled when it is so: when `down`, nobody listens any more. */
  misbehave(how: Misbehaviour): Promise<void>
  objects(target: string): readonly unknown[]
  /** The newest {@link LOGGED_MAX}, oldest first. */
  readonly requests: readonly LoggedRequest[]
  forgetRequests(): void
  close(): Promise<void>
}

export interface SandboxOptions {
  /** 0 or absent for any free one. */
  readonly port?: number
  readonly controlPort?: number
  /** Where it listens; absent for this machine alone. Only {@link SandboxOptions.port}: the controls' own port is never open to others. */
  readonly host?: string
  /** How others reach it, without a slash at the end, where its own address is not the answer: a name in a network of containers. */
  readonly url?: string
  /** Told when a request was carried out, before its answer is on its way: what the system holds now is what that request left. */
  readonly onCarriedOut?: (request: SandboxRequest) => void
}

const HOST = '127.0.0.1'
const LOGGED_MAX = 20_000
const LOGGED_BODY_CHARS = 16_384
const REQUEST_BYTES_MAX = 8 * 1024 * 1024

type Logged = { -readonly [K in keyof LoggedRequest]: LoggedRequest[K] }

/** Serves a system on loopback. @throws what listening throws, such as EADDRINUSE */
export async function startSandbox(system: SandboxSystem, options: SandboxOptions = {}): Promise<Sandbox> {
  const secret = new Set(['authorization', 'cookie', ...(system.secretHeaders ?? [])])
  let requests: Logged[] = []
  let counted = 0
  let how: Misbehaviour = {}
  let letThrough = 0
  let timesLeft = Number.POSITIVE_INFINITY
  let rejected = new Set<string>()

  const log = (request: SandboxRequest, url: string, isToken: boolean): Logged => {
    counted++
    const logged: Logged = {
      number: counted,
      atMs: Date.now(),
      method: request.method,
      path: url,
      headers: Object.fromEntries(
        Object.entries(request.headers).map(([name, value]) => [name, secret.has(name) ? '…' : value]),
      ),
      body: isToken ? '…' : request.body.toString('utf8').slice(0, LOGGED_BODY_CHARS),
      result: null,
    }
    requests.push(logged)
    // Not one by one: taking the first of a long array moves all others.
    if (requests.length >= LOGGED_MAX * 2) requests = requests.slice(-LOGGED_MAX)
    return logged
  }

  /** What goes wrong with this request; it counts as one. */
  const fault = (request: SandboxRequest, isToken: boolean): Misbehaviour => {
    if (isToken || (how.methods && !how.methods.includes(request.method))) return {}
    const { latencyMs, throttle, status, reset, hang, applied } = how
    const rest = latencyMs === undefined ? {} : { latencyMs }
    if (throttle === undefined && status === undefined && reset === undefined && hang === undefined) return rest
    if (throttle !== undefined && letThrough > 0) {
      letThrough--
      return rest
    }
    if (timesLeft <= 0) return rest
    timesLeft--
    return { ...rest, throttle, status, reset, hang, applied }
  }

  const carryOut = async (request: SandboxRequest): Promise<SandboxAnswer> => {
    try {
      return await system.handle(request, { rejects: (key) => rejected.has(key) })
    } catch (error) {
      return { status: 500, body: `the sandbox failed: ${error instanceof Error ? error.stack : String(error)}` }
    }
  }

  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(incoming.url ?? '/', 'http://sandbox')
    const body = await bodyOf(incoming)
    if (body === null) return answer(response, { status: 413 })
    if (url.pathname.startsWith('/__sandbox/')) return control(incoming.method!, url, body, response)
    const request: SandboxRequest = {
      method: incoming.method!,
      // Not the parsed one, which resolves `..` and so hides what was really sent.
      path: incoming.url!.split('?', 1)[0]!,
      query: url.searchParams,
      headers: incoming.headers,
      body,
    }
    const isToken = system.isToken?.(request) ?? false
    const logged = log(request, incoming.url!, isToken)
    response.on('close', () => {
      logged.result ??= 'gone'
    })
    const wrong = fault(request, isToken)
    if (wrong.latencyMs) await wait(wrong.latencyMs)
    if (wrong.throttle) {
      const { retryAfterSeconds } = wrong.throttle
      const told = system.throttled?.(retryAfterSeconds, request)
      return done(logged, response, told ?? { status: 429, headers: { 'retry-after': String(retryAfterSeconds) } })
    }
    if (wrong.reset === 'before' || wrong.hang === 'before') return leave(logged, incoming, wrong, 'before')
    const failed =
      wrong.status === undefined ? null : (system.failed?.(wrong.status, request) ?? { status: wrong.status })
    if (failed && !wrong.applied) return done(logged, response, failed)
    const answered = await carryOut(request)
    options.onCarriedOut?.(request)
    if (wrong.reset === 'after' || wrong.hang === 'after') return leave(logged, incoming, wrong, 'after')
    done(logged, response, failed ?? answered)
  }

  const control = async (method: string, url: URL, body: Buffer, response: ServerResponse): Promise<void> => {
    const [what = '', target = ''] = url.pathname.slice('/__sandbox/'.length).split('/').map(decodeURIComponent)
    if (method === 'GET' && what === 'requests')
      return answer(response, { status: 200, body: requests.slice(-LOGGED_MAX) })
    if (method === 'DELETE' && what === 'requests') {
      sandbox.forgetRequests()
      return answer(response, { status: 204 })
    }
    if (method === 'GET' && what === 'objects') return answer(response, { status: 200, body: system.objects(target) })
    if (method === 'POST' && what === 'misbehave') {
      const read = misbehaviour.safeParse(jsonOf(body))
      if (!read.success) return answer(response, { status: 400, body: z.prettifyError(read.error) })
      await sandbox.misbehave(read.data)
      return answer(response, { status: 204 })
    }
    answer(response, { status: 404, body: 'GET requests, DELETE requests, GET objects/<target>, POST misbehave' })
  }

  const listen = async (port: number, host = HOST): Promise<Server> => {
    const server = createServer((incoming, response) => {
      serve(incoming, response).catch((error: unknown) => {
        // The other side went away in the middle of its request: there is nobody to tell.
        response.destroy(error instanceof Error ? error : undefined)
      })
    })
    server.listen(port, host)
    await once(server, 'listening')
    return server
  }

  const controlServer = await listen(options.controlPort ?? 0)
  let server: Server | null = await listen(options.port ?? 0, options.host)
  const { port } = server.address() as AddressInfo

  const sandbox: Sandbox = {
    url: options.url ?? `http://${HOST}:${port}`,
    controlUrl: `http://${HOST}:${(controlServer.address() as AddressInfo).port}`,
    async misbehave(next) {
      how = next
      letThrough = next.throttle?.after ?? 0
      timesLeft = next.times ?? Number.POSITIVE_INFINITY
      rejected = new Set(next.rejectKeys)
      if (next.expireTokens) system.expireTokens?.()
      if (next.down && server !== null) {
        const closing = server
        server = null
        await stop(closing)
      }
      if (!next.down) server ??= await listen(port, options.host)
    },
    objects: (target) => system.objects(target),
    get requests() {
      return requests.slice(-LOGGED_MAX)
    },
    forgetRequests() {
      requests = []
    },
    async close() {
      await Promise.all([stop(controlServer), ...(server ? [stop(server)] : [])])
    },
  }
  return sandbox
}

/**
 * Serves a sandbox when its file is what node was started with: `node connectors/<name>/sandbox.ts --port 8080 [--control-port 8081]`. Prints
 * one line of JSON, `{url, controlUrl}`, and ends with SIGTERM or SIGINT. Does nothing when the file was imported.
 * @param moduleUrl `import.meta.url` of the sandbox
 */
export function serveWhenRun(moduleUrl: string, start: (options: SandboxOptions) => Promise<Sandbox>): void {
  if (process.argv[1] === undefined || realpathSync(process.argv[1]) !== fileURLToPath(moduleUrl)) return
  const { values } = parseArgs({ options: { port: { type: 'string' }, 'control-port': { type: 'string' } } })
  const run = async () => {
    const sandbox = await start({ port: Number(values.port ?? 0), controlPort: Number(values['control-port'] ?? 0) })
    process.stdout.write(`${JSON.stringify({ url: sandbox.url, controlUrl: sandbox.controlUrl })}\n`)
    const end = () => void sandbox.close()
    process.once('SIGTERM', end).once('SIGINT', end)
  }
  void run()
}

/** JSON of a body; undefined where it is none. */
export function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    // The caller says what it thinks of a body that is not JSON.
    return undefined
  }
}

function done(logged: Logged, response: ServerResponse, answered: SandboxAnswer): void {
  logged.result = answered.status
  answer(response, answered)
}

function leave(logged: Logged, incoming: IncomingMessage, wrong: Misbehaviour, when: 'before' | 'after'): void {
  const isReset = wrong.reset === when
  logged.result = isReset ? `reset-${when}` : `hung-${when}`
  if (isReset) incoming.socket.resetAndDestroy()
}

function answer(response: ServerResponse, { status, headers = {}, body }: SandboxAnswer): void {
  const isPlain = body === undefined || typeof body === 'string' || Buffer.isBuffer(body)
  const type: Record<string, string> =
    body === undefined ? {} : { 'content-type': isPlain ? 'text/plain' : 'application/json' }
  response.writeHead(status, { ...type, ...headers })
  response.end(isPlain ? body : JSON.stringify(body))
}

/** @returns null for one that is too large */
async function bodyOf(incoming: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes <= REQUEST_BYTES_MAX) chunks.push(chunk)
  }
  return bytes <= REQUEST_BYTES_MAX ? Buffer.concat(chunks) : null
}

async function stop(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
