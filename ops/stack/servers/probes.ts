import { connect } from 'node:net'
import type { ServiceName } from '../services.ts'

/** The Confluent-compatible API of the registry. */
export const REGISTRY_PATH = '/apis/ccompat/v7'

/** A server that is up answers at once; one that does not within this time is asked again. */
const ANSWER_TIMEOUT_MS = 2_000
const ANSWER_BYTES_MAX = 64 * 1024

/** Kafka's numbers of requests. */
const FIND_COORDINATOR = 10
const DESCRIBE_GROUPS = 15
/** A group that nobody joins. */
const PROBE_GROUP = 'tributary.ready'
const CORRELATION_ID = 0x7472

/**
 * Sends bytes and collects the answer until `isWhole` says so. Undefined when nobody listens, the connection breaks or time runs out:
 * to a wait for readiness these are all "not yet".
 */
function ask(port: number, request: Buffer, isWhole: (answer: Buffer) => boolean): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    let answer: Buffer = Buffer.alloc(0)
    const socket = connect({ port, host: '127.0.0.1' })
    const finish = (result: Buffer | undefined) => {
      socket.destroy()
      resolve(result)
    }
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => finish(undefined))
    socket.on('error', () => finish(undefined))
    socket.on('close', () => finish(undefined))
    socket.on('connect', () => socket.write(request))
    socket.on('data', (piece) => {
      answer = Buffer.concat([answer, piece])
      if (isWhole(answer)) finish(answer)
      else if (answer.length > ANSWER_BYTES_MAX) finish(undefined)
    })
  })
}

/**
 * Whether the broker coordinates consumer groups. The first question for a coordinator has it make the topic of the groups' offsets, and until
 * that is loaded whoever joins a group is refused.
 */
async function kafkaIsReady(port: number): Promise<boolean> {
  const found = await askKafka(port, FIND_COORDINATOR, kafkaString(PROBE_GROUP))
  if (found === undefined || found.readInt16BE(0) !== 0) return false
  if (coordinatorPort(found) !== port) return true
  // An array of one group to describe, and an array of one answer that begins with its error.
  const described = await askKafka(
    port,
    DESCRIBE_GROUPS,
    Buffer.concat([Buffer.from([0, 0, 0, 1]), kafkaString(PROBE_GROUP)]),
  )
  return described !== undefined && described.length >= 6 && described.readInt16BE(4) === 0
}

/** From an answer of error (2), node (4), host (its length first, 2) and port (4). Another port is that of another node of its cluster. */
function coordinatorPort(found: Buffer): number {
  return found.readInt32BE(8 + found.readInt16BE(6))
}

/** @returns the answer behind its length and correlation id, or undefined */
async function askKafka(port: number, apiKey: number, body: Buffer): Promise<Buffer | undefined> {
  const head = Buffer.alloc(4 + 2 + 2 + 4 + 2)
  head.writeInt32BE(head.length - 4 + body.length, 0)
  head.writeInt16BE(apiKey, 4)
  head.writeInt16BE(0, 6) // version
  head.writeInt32BE(CORRELATION_ID, 8)
  head.writeInt16BE(-1, 12) // no client id
  const isWhole = (bytes: Buffer) => bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)
  const answer = await ask(port, Buffer.concat([head, body]), isWhole)
  if (answer === undefined || answer.length < 10 || answer.readInt32BE(4) !== CORRELATION_ID) return undefined
  return answer.subarray(8)
}

function kafkaString(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes])
}

/** Whether the registry lists its subjects. */
async function registryIsReady(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${REGISTRY_PATH}/subjects`, {
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    })
    await response.arrayBuffer()
    return response.status === 200
  } catch {
    return false
  }
}

/** Whether Redis answers PING; while it loads its data it answers LOADING. */
async function redisIsReady(port: number): Promise<boolean> {
  const answer = await ask(port, Buffer.from('PING\r\n'), (bytes) => bytes.includes('\r\n'))
  return answer?.toString('latin1').startsWith('+PONG') ?? false
}

/** Whether PostgreSQL asks for the password. While it recovers it answers with an error (57P03) instead. */
async function postgresIsReady(port: number): Promise<boolean> {
  const parameters = Buffer.from('user\0postgres\0database\0postgres\0\0')
  const head = Buffer.alloc(8)
  head.writeInt32BE(8 + parameters.length, 0)
  head.writeInt32BE(3 << 16, 4) // protocol 3.0
  const answer = await ask(port, Buffer.concat([head, parameters]), (bytes) => bytes.length >= 1)
  return answer?.[0] === 'R'.charCodeAt(0)
}

const PROBES: Record<ServiceName, (port: number) => Promise<boolean>> = {
  kafka: kafkaIsReady,
  registry: registryIsReady,
  redis: redisIsReady,
  postgres: postgresIsReady,
}

/** One look at whether a local server serves clients. Never throws. */
export function serverIsReady(name: ServiceName, port: number): Promise<boolean> {
  return PROBES[name](port)
}
