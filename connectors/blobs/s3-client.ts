import http from 'node:http'
import https from 'node:https'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { AwsV4Signer } from 'aws4fetch'
import type { TributaryError } from '../../schemas/errors.ts'
import { systemCode } from '../../schemas/errors.ts'
import { markAsOwnMemory } from '../../schemas/large-value.ts'
import { pause } from '../pause.ts'
import { unreachable } from './store.ts'

export interface S3Options {
  /** Without a path: buckets are addressed as its first part, which every store understands. */
  readonly endpoint: string
  readonly bucket: string
  readonly region: string
  /** Ends with `/`, or is empty. */
  readonly prefix: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

export interface S3Request {
  readonly method: 'HEAD' | 'GET' | 'PUT' | 'DELETE'
  /** The object's name; empty for the bucket itself. */
  readonly name: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: { readonly sha256: string; readonly bytes: number; readonly chunks: () => Iterable<Buffer> }
  /** The most bytes of the answer's body that are kept; by default what an error may have. */
  readonly bytesMax?: number
}

export interface S3Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
}

const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const ERROR_BYTES_MAX = 65_536
const TRIES_MAX = 3
const BACKOFF_MS = 200
/** A store that says nothing for so long is taken for away; a whole request may take longer with every byte. */
const SILENCE_MS = 15_000
const REQUEST_MS = 60_000
const REQUEST_BYTES_PER_MS = 256
const CONNECTIONS_MAX = 16

/** Sends signed requests, each a few times where trying again may help. */
export function openS3Client(options: S3Options) {
  const transport = options.endpoint.startsWith('https:') ? https : http
  // One set of connections for the process; they end when nothing uses them, and hold nothing up.
  const agent = new transport.Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX, timeout: SILENCE_MS })

  async function send(request: S3Request, signal?: AbortSignal): Promise<S3Answer> {
    for (let tries = 1; ; tries++) {
      const last = tries === TRIES_MAX
      try {
        const answer = await sendOnce(request, signal)
        if (last || !isPassing(answer.status)) return answer
      } catch (error) {
        if (last || signal?.aborted) throw away(error)
      }
      await pause(BACKOFF_MS * 2 ** tries * (0.5 + Math.random()), signal ?? NEVER)
    }
  }

  async function sendOnce(request: S3Request, signal: AbortSignal | undefined): Promise<S3Answer> {
    const { method, body, bytesMax = ERROR_BYTES_MAX } = request
    const { url, headers } = await sign(request)
    const limitMs = Math.ceil(REQUEST_MS + ((body?.bytes ?? 0) + bytesMax) / REQUEST_BYTES_PER_MS)
    const ends = AbortSignal.any([AbortSignal.timeout(limitMs), ...(signal ? [signal] : [])])
    const answered = Promise.withResolvers<http.IncomingMessage>()
    const outgoing = transport.request(url, { method, headers, agent, signal: ends }, answered.resolve)
    outgoing.setTimeout(SILENCE_MS, () => outgoing.destroy(new Error(`silent for ${SILENCE_MS / 1000} s`)))
    outgoing.on('error', answered.reject)
    const sent =
      body === undefined ? outgoing.end() : pipeline(Readable.from(copies(body.chunks(), body.bytes)), outgoing)
    // A store may answer before it has read everything, and then break the connection: its answer counts.
    const sending = Promise.resolve(sent as unknown).catch(answered.reject)
    const incoming = await answered.promise
    const content = await readBody(incoming, method === 'HEAD' ? 0 : bytesMax)
    await sending
    return { status: incoming.statusCode!, headers: incoming.headers, body: content }
  }

  async function sign({ method, name, query = {}, body }: S3Request) {
    const url = new URL(`${options.endpoint}/${options.bucket}${name === '' ? '' : `/${name}`}`)
    for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value)
    const { accessKeyId, secretAccessKey, region } = options
    const signer = new AwsV4Signer({
      method,
      url: url.href,
      service: 's3',
      region,
      accessKeyId,
      secretAccessKey,
      headers: { 'x-amz-content-sha256': body?.sha256 ?? EMPTY_SHA256 },
    })
    const signed = await signer.sign()
    const headers: Record<string, string> = Object.fromEntries(signed.headers as unknown as Iterable<[string, string]>)
    if (body !== undefined) headers['content-length'] = String(body.bytes)
    return { url: signed.url, headers }
  }

  function away(cause: unknown): TributaryError {
    const code = systemCode(cause) ?? (cause as Error).message
    return unreachable(`the blob store at ${options.endpoint} does not answer (${code})`, cause)
  }

  return {
    /** @throws TributaryError `blob-store-unreachable` when there is no answer; any answer is given back */
    send,
    /** The error for an answer that is no use: the store's code is told, never its text, which may quote the request. */
    refused({ status, body }: S3Answer): TributaryError {
      const code = /<Code>([A-Za-z0-9]{1,60})<\/Code>/.exec(body.toString('latin1'))?.[1]
      const what = `the blob store at ${options.endpoint}, bucket ${options.bucket}, refuses a request (${status}${code ? ` ${code}` : ''})`
      return unreachable(`${what}: ${adviceOn(status)}`, new Error(`status ${status}`))
    },
  }
}

const NEVER = new AbortController().signal

/** Whether another try may be answered otherwise. */
function isPassing(status: number): boolean {
  return status >= 500 || status === 429 || status === 408
}

function adviceOn(status: number): string {
  if (status === 403 || status === 401) return 'check the access key, its rights in the bucket, and this clock'
  if (status === 404) return 'make the bucket'
  if (status === 301 || status === 307) return 'correct blobs.region or blobs.endpoint'
  return 'look after the store'
}

/** A chunk is valid until the next is asked for, and the socket may still hold it then. Too few or too many would leave the store waiting. */
function* copies(chunks: Iterable<Buffer>, bytes: number): Generator<Buffer> {
  let sent = 0
  for (const chunk of chunks) {
    sent += chunk.length
    yield Buffer.from(chunk)
  }
  if (sent !== bytes) throw new Error(`${sent} bytes came, not ${bytes}`)
}

/** @returns the first `bytesMax` bytes; one more when there are more, so that the caller can tell */
async function readBody(incoming: http.IncomingMessage, bytesMax: number): Promise<Buffer> {
  const announced = Number(incoming.headers['content-length'] ?? 0)
  const content = Buffer.allocUnsafeSlow(Math.min(announced > 0 ? announced : bytesMax, bytesMax) + 1)
  markAsOwnMemory(content)
  let length = 0
  for await (const chunk of incoming) {
    length += (chunk as Buffer).copy(content, length)
    if (length > bytesMax) {
      incoming.destroy()
      break
    }
  }
  return content.subarray(0, length)
}
