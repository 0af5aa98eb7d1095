import http from 'node:http'
import https from 'node:https'
import { type TlsMaterial, tlsOptions } from './tls.ts'

/** One request to the registry, and what came back. */
export interface Exchange {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
  readonly timeoutMs: number
}

/** No answer of a registry comes near. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024
/** A connection that nobody uses is closed, before the other side does. */
const IDLE_MS = 5_000

/**
 * Sends requests over `node:http` and `node:https`: `fetch` cannot be given an authority to trust, or a certificate of ours. Follows no
 * redirect.
 * @returns a function that throws what went wrong on the way: name resolution, connection, TLS, time-out (`TimeoutError`)
 */
export function registryExchange(
  tls: TlsMaterial = {},
): (exchange: Exchange) => Promise<{ status: number; text: string }> {
  const kept = { keepAlive: true, timeout: IDLE_MS } as const
  const agents = { http: new http.Agent(kept), https: new https.Agent({ ...kept, ...tlsOptions(tls) }) }
  return ({ method, url, headers, body, timeoutMs }) =>
    new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(timeoutMs)
      const fail = (error: Error) => reject(signal.aborted ? signal.reason : error)
      const onResponse = (response: http.IncomingMessage) => {
        const chunks: Buffer[] = []
        let bytes = 0
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > ANSWER_BYTES_MAX) response.destroy(new Error('the answer is too long'))
          else chunks.push(chunk)
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }))
        response.on('error', fail)
      }
      const length = body === null ? {} : { 'content-length': String(Buffer.byteLength(body)) }
      const options = { method, headers: { ...headers, ...length }, signal }
      const request = url.startsWith('https:')
        ? https.request(url, { ...options, agent: agents.https }, onResponse)
        : http.request(url, { ...options, agent: agents.http }, onResponse)
      request.on('error', fail)
      request.end(body ?? undefined)
    })
}
