import { type ISocketFactory, Kafka, type LogEntry, logLevel } from 'kafkajs'

/** A handle on a cluster, which others only pass on: the library has its home in this folder. */
export type { Kafka } from 'kafkajs'

import { markCompactedAway } from './compacted-away.ts'
import { type KafkaSecurity, securityOptions } from './security.ts'

/** A line for the log. `fields` hold no personal data and no secrets. */
export type Log = (
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  fields?: Record<string, unknown>,
) => void

export interface KafkaOptions {
  readonly brokers: readonly string[]
  /** Shown in the broker's logs and quotas. */
  readonly clientId: string
  readonly log: Log
  /** Without: plain text, and no user. */
  readonly security?: KafkaSecurity
  /** How long one request may take, unless {@link REQUEST_TIMEOUT_MS}. */
  readonly requestTimeoutMs?: number
  /** How a connection is opened, unless as the library does. */
  readonly socketFactory?: ISocketFactory
}

/** How long one request may take before its result is unknown. */
export const REQUEST_TIMEOUT_MS = 30_000
export const CONNECT_TIMEOUT_MS = 5_000

const OPTIONS = new WeakMap<Kafka, KafkaOptions>()

/** The addresses that a handle was made with, for messages. */
export function brokersOf(kafka: Kafka): readonly string[] {
  return OPTIONS.get(kafka)?.brokers ?? []
}

/** Whether a handle speaks to the brokers without TLS. */
export function isPlain(kafka: Kafka): boolean {
  return OPTIONS.get(kafka)?.security?.tls === undefined
}

/** What a handle was made with. */
export function optionsOf(kafka: Kafka): KafkaOptions {
  const options = OPTIONS.get(kafka)
  if (options === undefined) throw new TypeError('This handle on Kafka was not made by connectKafka.')
  return options
}

/** A handle on one Kafka cluster; opens no connection by itself. */
export function connectKafka(options: KafkaOptions): Kafka {
  silenceNegativeTimeoutWarning()
  markCompactedAway()
  const kafka = new Kafka({
    clientId: options.clientId,
    brokers: [...options.brokers],
    ...securityOptions(options.security ?? {}),
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    enforceRequestTimeout: true,
    ...(options.socketFactory === undefined ? {} : { socketFactory: options.socketFactory }),
    // Short: about 3 s for brokers that refuse. Whoever may wait longer starts again, and says so each time.
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5 },
    logLevel: logLevel.INFO,
    logCreator: () => (entry) => forward(options.log, entry),
  })
  OPTIONS.set(kafka, options)
  return kafka
}

/**
 * The library reports at ERROR what it will retry by itself (a coordinator that is still loading, a broker that restarts), several
 * lines a second while brokers are away. Those are ours to judge: what finally fails reaches us as an exception and is logged once.
 */
function forward(log: Log, entry: LogEntry): void {
  const { message, error, groupId, retryCount } = entry.log as Record<string, unknown> & { message: string }
  const fields = { library: 'kafkajs', namespace: entry.namespace, error, groupId, retryCount }
  log('debug', message, fields)
}

let silenced = false

/** Node 24 warns of a negative timeout that this library computes when it is late; it is harmless. */
function silenceNegativeTimeoutWarning(): void {
  if (silenced) return
  silenced = true
  const emitWarning = process.emitWarning.bind(process) as (...args: unknown[]) => void
  process.emitWarning = ((warning: unknown, ...rest: unknown[]) => {
    const name = typeof rest[0] === 'object' ? (rest[0] as { type?: string } | null)?.type : rest[0]
    if (name === 'TimeoutNegativeWarning') return
    emitWarning(warning, ...rest)
  }) as typeof process.emitWarning
}
