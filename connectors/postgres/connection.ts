import net from 'node:net'
import postgres from 'postgres'
import { TributaryError } from '../../schemas/errors.ts'
import { type PostgresAddress, withTls } from '../postgres-tls.ts'
import { LargeTurn } from './stream/gather.ts'
import { openGatheredSocket } from './stream/gathered-socket.ts'

/** A connection (or a small pool) to the source's database. */
export type Sql = postgres.Sql

const CONNECT_TIMEOUT_SECONDS = 8
/** Connections for questions beside the stream: checks, snapshot, hydrate, status. */
const POOL_MAX = 4
const IDLE_TIMEOUT_SECONDS = 30
/** How long a question waits for a lock that someone else has, such as one of an ALTER TABLE. */
const LOCK_WAIT_MS = 30_000

/** A row as the server wrote it: one text a column, in the session's form. */
export type RawRow = readonly (Buffer | null)[]

/**
 * Every session speaks one form of text, whatever the role's or database's own settings are: a value read by the stream, a snapshot
 * and hydrate is the same bytes. `row_security` off makes a filtered table an error rather than a snapshot with rows missing.
 */
const SESSION: Readonly<Record<string, string>> = {
  TimeZone: 'UTC',
  DateStyle: 'ISO, YMD',
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  extra_float_digits: '1',
  row_security: 'off',
  xmlbinary: 'base64',
  // Quoted literals rest on it.
  standard_conforming_strings: 'on',
  // A snapshot may take hours, and its session is idle while Kafka is slow.
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
}

/** What every connection here has in common. */
export function settings(application: string): postgres.Options<Record<string, never>> {
  return {
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    max_lifetime: null,
    fetch_types: false,
    // Notices may quote rows.
    onnotice: () => {},
    // All as text: the package leaves out a setting that is the number 0.
    connection: { ...SESSION, application_name: application } as object,
  }
}

/**
 * The address without what it says of TLS, and that as the package takes it.
 * @throws TributaryError `declaration-invalid`, `environment-missing`
 */
export function sourceAddress(url: string): PostgresAddress {
  return withTls(url, 'the url of a postgres source')
}

/**
 * A pool for ordinary queries; connects when first used.
 * @throws TributaryError `declaration-invalid` when `url` is not an address (without quoting it: it holds a password), `environment-missing`
 * when a certificate that it names cannot be read
 */
export function openPool(address: string, application: string, lockWaitMs = LOCK_WAIT_MS): Sql {
  const { url, ssl } = sourceAddress(address)
  const plain = { ...settings(application), ssl } as const
  const connection = { ...plain.connection, lock_timeout: String(lockWaitMs) } as object
  const common = { ...plain, connection, max: POOL_MAX, idle_timeout: IDLE_TIMEOUT_SECONDS, prepare: false }
  const target = guardUrl(() => postgres(url, common as postgres.Options<Record<string, never>>).options)
  // Of several hosts the package tries one after the other, with sockets of its own.
  const gathers = target.host.length === 1 && !target.ssl
  const socket = () => {
    // Not awaited: a connection whose socket cannot be had is lost to the package's pool, one whose socket breaks is not.
    return Object.assign(openGatheredSocket(addressOf(target, 0)).socket, {
      host: target.host[0],
      port: target.port[0],
    })
  }
  const options = { ...common, ...(gathers && { socket }) }
  return guardUrl(() => postgres(url, options as unknown as postgres.Options<Record<string, never>>))
}

export interface ReplicationConnection {
  readonly sql: Sql
  /** What the server said last before it closed the connection, if it gave a reason. Not known over TLS. */
  lastWords(): Error | undefined
  /** The large message that came last is not used any more: until then no other comes. Its memory is freed at once. */
  release(): void
  /** Ends the connection at once; what the server still sends is read away for a moment so that our last bytes arrive. */
  close(): Promise<void>
}

/** How long the server may take to close after we did. */
const CLOSE_WAIT_MS = 1_000

/**
 * One connection that speaks the replication protocol.
 * @param senderTimeoutMs after how long without a status update the server gives us up
 */
export function openReplication(address: string, application: string, senderTimeoutMs: number): ReplicationConnection {
  const { url, ssl } = sourceAddress(address)
  const common = { ...settings(application), max: 1, ssl } as const
  const target = guardUrl(() => postgres(url, common as postgres.Options<Record<string, never>>).options)
  const sockets: net.Socket[] = []
  let tail: Buffer | undefined
  let release = () => {}
  const open = (to: net.NetConnectOpts) => {
    const gathered = openGathered(target, to, new LargeTurn())
    release = gathered.release
    return gathered.socket
  }
  const options = {
    ...common,
    idle_timeout: 0,
    prepare: false,
    ...firstOf(target),
    connection: {
      ...SESSION,
      application_name: application,
      replication: 'database',
      wal_sender_timeout: String(senderTimeoutMs),
    },
    // Our own socket: a server that ends the stream says why in a message that the package drops when the connection closes with it.
    socket: async () => {
      const socket = await connectSocket(target, open)
      socket.on('data', (chunk: Buffer) => {
        tail = chunk
      })
      sockets.push(socket)
      return socket
    },
  }
  const sql = guardUrl(() => postgres(url, options as unknown as postgres.Options<Record<string, never>>))
  return {
    sql,
    release: () => release(),
    lastWords: () => (tail === undefined ? undefined : finalError(tail)),
    async close() {
      const closed = sockets.map(untilClosed)
      await sql.end({ timeout: 0 })
      await Promise.all(closed)
    },
  }
}

/** Waits until a connection that was ended is closed, or closes it. */
export function untilClosed(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve()
    const timer = setTimeout(() => socket.destroy(), CLOSE_WAIT_MS)
    socket.once('close', () => {
      clearTimeout(timer)
      resolve()
    })
    // Late errors of a connection that is being given up; `close` follows.
    socket.on('error', () => {})
    socket.resume()
  })
}

/** The part of the package's parsed options that leads to the server. */
export interface Target {
  readonly host: readonly string[]
  readonly port: readonly (number | string)[]
  readonly path?: string | false | undefined
  readonly ssl?: unknown
}

/** With more than one host the package swallows the errors of a socket that it is given; {@link connectSocket} tries all of them. */
export function firstOf(target: Target): { readonly host: string; readonly port: number } {
  return { host: target.host[0] ?? 'localhost', port: Number(target.port[0]) }
}

/** A socket whose large messages are gathered, where what arrives is messages. */
export function openGathered(
  target: Target,
  address: net.NetConnectOpts,
  turn?: LargeTurn,
): { readonly socket: net.Socket; release(): void } {
  if (target.ssl) return { socket: net.connect(address), release: () => {} }
  return openGatheredSocket(address, turn)
}

/**
 * Connects to the first host that answers, each within 8 s.
 * @throws the system's error, or one with the code `CONNECT_TIMEOUT`
 */
export async function connectSocket(target: Target, open: OpenSocket = net.connect): Promise<net.Socket> {
  let failed: unknown
  for (const [index, host] of target.host.entries()) {
    try {
      return await connectOnce(addressOf(target, index), host, open)
    } catch (error) {
      failed = error
    }
  }
  throw failed
}

function addressOf(target: Target, index: number): net.NetConnectOpts {
  if (target.path) return { path: target.path }
  return { host: target.host[index]!, port: Number(target.port[index] ?? target.port[0]), noDelay: true }
}

type OpenSocket = (address: net.NetConnectOpts) => net.Socket

function connectOnce(address: net.NetConnectOpts, host: string, open: OpenSocket): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = open(address)
    const timer = setTimeout(() => {
      socket.destroy(Object.assign(new Error(`${host} does not answer`), { code: 'CONNECT_TIMEOUT' }))
    }, CONNECT_TIMEOUT_SECONDS * 1_000)
    socket.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.removeAllListeners('error')
      // The package names the server by these, in its messages and to check a certificate.
      resolve(Object.assign(socket, { host, ...('port' in address && { port: address.port }) }))
    })
  })
}

/** The error message that the last bytes of a connection end with, if they do: `E`, length, fields of a letter and a text each. */
export function finalError(tail: Buffer): Error | undefined {
  for (let at = tail.lastIndexOf(0x45); at >= 0; at = at === 0 ? -1 : tail.lastIndexOf(0x45, at - 1)) {
    if (at + 6 > tail.length || at + 1 + tail.readUInt32BE(at + 1) !== tail.length || tail[at + 5] !== 0x53) continue
    const fields = new Map(
      tail
        .toString('utf8', at + 5, tail.length)
        .split('\0')
        .map((field): [string, string] => [field.slice(0, 1), field.slice(1)]),
    )
    const message = fields.get('M')
    if (message !== undefined) return Object.assign(new Error(message), { code: fields.get('C') ?? '' })
  }
  return undefined
}

/** Runs what parses the url; its errors would quote the password. */
export function guardUrl<T>(make: () => T): T {
  try {
    return make()
  } catch {
    throw new TributaryError(
      'declaration-invalid',
      'the url of a postgres source is not an address like postgres://user:password@host:5432/database',
      {
        // The real cause quotes the whole address with its password.
        cause: new TypeError('Invalid URL'),
      },
    )
  }
}

/** A name quoted for SQL. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** A text quoted as a literal that any setting of the server reads alike, as its own `quote_literal` does. Not for replication commands. */
export function quoteLiteral(text: string): string {
  const quoted = quoteText(text)
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted
}
