import net from 'node:net'
import postgres from 'postgres'
import { withTls } from '../postgres-tls.ts'

export interface SessionOptions {
  readonly url: string
  readonly applicationName: string
  readonly statementTimeoutMs: number
}

export type Rows = readonly (readonly (string | null)[])[]

/**
 * One connection with one life: it is opened once, and when anything is wrong with it it is destroyed and another one made.
 * The package's own pool is not used, because its transactions send a ROLLBACK on a connection that has just closed (a write to
 * a socket that is gone), it reconnects without a pause when a server accepts and closes, and a query that waited for a lost
 * connection runs on the next one, outside of its transaction.
 */
export interface Session {
  /** Whether the connection is there, as far as is known. */
  readonly usable: boolean
  /** Sends a statement; several sent without waiting are pipelined, in order. Every column of the answer has to be text. */
  query(text: string, parameters: readonly string[], prepared: boolean): Promise<Rows>
  /** Sends a statement without parameters and answers its command tag, such as `COMMIT` or `ROLLBACK`. */
  command(text: string): Promise<string>
  /** Aborts when the connection is lost or given up. (A promise to race with would collect a reaction a race for ever.) */
  readonly lost: AbortSignal
  /** Gives the connection up at once. What was sent before COMMIT is rolled back by the server. */
  destroy(): void
  /** Says goodbye to the server. For a session without a transaction. */
  close(): Promise<void>
}

export const CONNECT_TIMEOUT_MS = 10_000
const KEEP_ALIVE_SECONDS = 15
const CLOSE_TIMEOUT_SECONDS = 5
/** More than the statements of one batch, so that a whole transaction is sent without waiting. */
const PIPELINE_MAX = 1000

/**
 * Opens a session, within {@link CONNECT_TIMEOUT_MS} for the network and as much again for the log-in.
 * @throws what the network or the package threw; TributaryError `declaration-invalid` or `environment-missing` for what the address says of TLS
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { url, ssl } = withTls(options.url, 'the url of a warehouse')
  let socket: net.Socket | undefined
  const lost = new AbortController()
  const client = postgres(url, {
    ...clientOptions(options),
    ssl,
    onclose: () => lost.abort(lostError('ECONNRESET', 'the connection was closed')),
    // Missing in the package's types: makes the connection's one socket.
    socket: async (parsed: Addresses) => {
      if (socket !== undefined || lost.signal.aborted) throw lostError('ECONNRESET', 'the connection was closed')
      socket = await connectSocket(parsed)
      return socket
    },
  } as postgres.Options<Record<string, postgres.PostgresType>>)
  const destroy = () => {
    lost.abort(lostError('ECONNABORTED', 'the connection was given up'))
    socket?.destroy()
    // Rejects what is queued inside; there is nothing to wait for.
    void client.end({ timeout: 0 })
  }
  let reserved: postgres.ReservedSql
  try {
    // Without a query before it and with `fetch_types` off, `reserve` of the package opens a connection and never answers.
    await client.unsafe('SELECT 1')
    reserved = await client.reserve()
  } catch (error) {
    destroy()
    throw error
  }
  const send = (text: string, parameters: readonly string[], prepared: boolean) => {
    if (lost.signal.aborted) return Promise.reject(lost.signal.reason)
    return reserved.unsafe(text, [...parameters], { prepare: prepared }).values()
  }
  return {
    get usable() {
      return !lost.signal.aborted
    },
    query: async (text, parameters, prepared) => (await send(text, parameters, prepared)) as unknown as Rows,
    command: async (text) => {
      const result = await send(text, [], false)
      return (result as unknown as { command: string }).command
    },
    lost: lost.signal,
    destroy,
    close: async () => {
      // The package does not end a connection that is reserved.
      if (!lost.signal.aborted) reserved.release()
      await client.end({ timeout: CLOSE_TIMEOUT_SECONDS })
      lost.abort(lostError('ECONNABORTED', 'the connection was closed'))
      socket?.destroy()
    },
  }
}

function clientOptions({ applicationName, statementTimeoutMs }: SessionOptions) {
  return {
    max: 1,
    prepare: true,
    fetch_types: false,
    // Values travel as text in both directions, so the package has nothing to convert.
    types: {},
    connect_timeout: CONNECT_TIMEOUT_MS / 1000,
    idle_timeout: 0,
    max_lifetime: null,
    keep_alive: KEEP_ALIVE_SECONDS,
    max_pipeline: PIPELINE_MAX,
    debug: false,
    // Notices can quote values.
    onnotice: () => undefined,
    connection: {
      application_name: applicationName,
      statement_timeout: statementTimeoutMs,
      // Half of it, so that waiting for a lock is told apart from work that takes too long.
      lock_timeout: Math.ceil(statementTimeoutMs / 2),
      idle_in_transaction_session_timeout: statementTimeoutMs,
      // `applied` is recorded in the ledger, so it must survive a crash of this server.
      synchronous_commit: 'on',
      TimeZone: 'UTC',
      DateStyle: 'ISO, YMD',
      IntervalStyle: 'postgres',
      bytea_output: 'hex',
      // The shortest text that reads back as the same double, whatever the role is set to.
      extra_float_digits: 1,
      standard_conforming_strings: 'on',
      array_nulls: 'on',
      // Every statement looks rows up by key. Planned for a small table, or kept while it grew, it would read all of it instead.
      enable_seqscan: 'off',
      enable_hashjoin: 'off',
      enable_mergejoin: 'off',
      enable_material: 'off',
      plan_cache_mode: 'force_custom_plan',
      jit: 'off',
    },
  }
}

/** The part of the package's parsed options that leads to the server. */
interface Addresses {
  readonly host: readonly string[]
  readonly port: readonly number[]
  readonly path?: string | false
}

/** Connects to the first address that answers. */
async function connectSocket({ host, port, path }: Addresses): Promise<net.Socket> {
  if (path) return connectTo({ path })
  let failure: unknown
  for (const [index, name] of host.entries()) {
    try {
      const socket = await connectTo({ host: name, port: port[index] ?? port[0]! })
      // The package reads the name from the socket to check the server's certificate.
      return Object.assign(socket, { host: name, port: port[index] ?? port[0] })
    } catch (error) {
      failure = error
    }
  }
  throw failure
}

async function connectTo(address: net.NetConnectOpts): Promise<net.Socket> {
  // Without noDelay a pipelined transaction waits for delayed acknowledgements, 40 ms at a time.
  const socket = net.connect({ ...address, noDelay: true })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const timer = setTimeout(() => reject(lostError('ETIMEDOUT', 'no connection in time')), CONNECT_TIMEOUT_MS)
  socket.once('connect', resolve)
  socket.once('error', reject)
  try {
    await promise
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    clearTimeout(timer)
    socket.off('connect', resolve)
    socket.off('error', reject)
  }
  return socket
}

function lostError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code })
}
