import { connect } from 'node:net'
import type { ServiceName } from '../services.ts'

/** The Confluent-compatible API of the registry. */
export const REGISTRY_PATH = '/apis/ccompat/v7'

/** A server that is up answers at once; one that does not within this time is asked again. */
const ANSWER_TIMEOUT_MS = 2_000
const ANSWER_BYTES_MAX = 64 * 1024

const KAFKA_METADATA = { apiKey: 3, apiVersion: 1 }
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

/** Whether the broker answers a Metadata request (v1, no topics) with at least one broker: then it is registered and serves clients. */
async function kafkaIsReady(port: number): Promise<boolean> {
  const request = Buffer.alloc(4 + 2 + 2 + 4 + 2 + 4)
  request.writeInt32BE(request.length - 4, 0)
  request.writeInt16BE(KAFKA_METADATA.apiKey, 4)
  request.writeInt16BE(KAFKA_METADATA.apiVersion, 6)
  request.writeInt32BE(CORRELATION_ID, 8)
  request.writeInt16BE(-1, 12) // no client id
  request.writeInt32BE(0, 14) // no topics
  const answer = await ask(port, request, (bytes) => bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0))
  if (answer === undefined || answer.length < 12) return false
  return answer.readInt32BE(4) === CORRELATION_ID && answer.readInt32BE(8) >= 1
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
