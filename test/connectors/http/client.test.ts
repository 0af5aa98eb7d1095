import { once } from 'node:events'
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { inspect } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import {
  createHttpClient,
  type HttpClient,
  NoAnswer,
  retryAfterMs,
  unanswered,
} from '../../../connectors/http/client.ts'

const ALLOWED = { allowAddresses: ['127.0.0.1', '::1'], connections: 2, timeoutMs: 60_000 }

/** In which a request surely arrives, also at a busy machine. */
const ENOUGH_MS = 3000

const endings: (() => void)[] = []
afterEach(() => {
  for (const end of endings.splice(0)) end()
})

function client(options: Partial<typeof ALLOWED> = {}): HttpClient {
  const made = createHttpClient({ ...ALLOWED, ...options })
  endings.push(() => made.close())
  return made
}

async function listening(server: Server): Promise<string> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  endings.push(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

const serveHttp = async (answer: RequestListener) => `http://${await listening(createHttpServer(answer))}/`
const serveTcp = async (meet: (socket: Socket) => void) =>
  `http://${await listening(createTcpServer((socket) => meet(socket.on('error', () => {}))))}/`

async function failure(asking: Promise<unknown>): Promise<NoAnswer> {
  try {
    await asking
  } catch (error) {
    if (error instanceof NoAnswer) return error
    throw error
  }
  throw new Error('it was answered')
}

const reached = async (asking: Promise<unknown>) => (await failure(asking)).reached

describe('what surely did not reach the other side', () => {
  it('is a request for which no connection came about: refused, or a name without address', async () => {
    const server = createTcpServer()
    const address = await listening(server)
    server.close()
    expect(await reached(client().send({ method: 'GET', url: `http://${address}/` }))).toBe('no')
    expect(await reached(client().send({ method: 'GET', url: 'http://nowhere.invalid/' }))).toBe('no')
  })

  it('is a request whose connection was not ready in time', async () => {
    // It takes the connection and says nothing, so TLS never comes about.
    const address = await listening(createTcpServer())
    const error = await failure(
      client({ timeoutMs: 200 }).send({ method: 'PATCH', url: `https://${address}/`, body: '{}' }),
    )
    expect(error.reached).toBe('no')
    expect(error.message).toBe(`${address} did not answer within 0.2 s`)
  })

  it('is a request to a server whose certificate is not trusted, or that speaks no TLS', async () => {
    const plain = await serveTcp((socket) => socket.end('what is this?\r\n\r\n'))
    expect(await reached(client().send({ method: 'GET', url: plain.replace('http:', 'https:') }))).toBe('no')
    // Without a certificate no cipher fits: the handshake is refused.
    const address = await listening(createTlsServer())
    expect(await reached(client().send({ method: 'GET', url: `https://${address}/` }))).toBe('no')
  })

  it('is a request that was still waiting for a connection', async () => {
    const came = Promise.withResolvers<void>()
    const url = await serveHttp(() => came.resolve())
    const http = client({ connections: 1 })
    const [first, second] = [new AbortController(), new AbortController()]
    const served = reached(http.send({ method: 'GET', url }, first.signal))
    await came.promise
    const waiting = reached(http.send({ method: 'GET', url }, second.signal))
    second.abort()
    expect(await waiting).toBe('no')
    first.abort()
    expect(await served).toBe('maybe')
  })

  it('is a request that was called off before', async () => {
    const url = await serveHttp(() => {})
    expect(await reached(client().send({ method: 'GET', url }, AbortSignal.abort()))).toBe('no')
  })

  it('is a request to what is no address of ours to speak to', async () => {
    const url = await serveHttp((_, response) => response.end())
    const http = client({ allowAddresses: [] })
    const port = new URL(url).port
    for (const host of [
      '127.0.0.1',
      'localhost',
      '2130706433',
      '0x7f.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '169.254.169.254',
    ]) {
      const error = await failure(http.send({ method: 'GET', url: `http://${host}:${port}/` }))
      expect(error).toMatchObject({ reached: 'no', cause: { name: 'AddressRefused' } })
    }
    expect(await reached(http.send({ method: 'GET', url: 'ftp://example.com/' }))).toBe('no')
    expect(await reached(http.send({ method: 'GET', url: 'not an address' }))).toBe('no')
  })

  it('becomes unavailable, and what may have reached it unknown', async () => {
    expect(unanswered(new NoAnswer('no', 'gone', null)).kind).toBe('unavailable')
    expect(unanswered(new NoAnswer('maybe', 'gone', null)).kind).toBe('unknown')
    expect(() => unanswered(new TypeError('a bug'))).toThrow('a bug')
  })
})

describe('what may have reached the other side', () => {
  it('is a request on a new connection that was reset afterwards', async () => {
    const url = await serveTcp((socket) => socket.once('data', () => socket.resetAndDestroy()))
    expect(await reached(client().send({ method: 'POST', url, body: '{}' }))).toBe('maybe')
  })

  it('is a request on a used connection that was reset afterwards, and it is not sent again', async () => {
    let asked = 0
    const url = await serveHttp((incoming, response) => {
      asked++
      if (asked === 1) response.end()
      else incoming.socket.resetAndDestroy()
    })
    const http = client()
    await http.send({ method: 'GET', url })
    expect(await reached(http.send({ method: 'PATCH', url, body: '{}' }))).toBe('maybe')
    expect(asked).toBe(2)
  })

  it('is a request on a connection that another one passed on to it', async () => {
    let asked = 0
    const url = await serveHttp((incoming, response) => {
      asked++
      if (asked === 1) response.end()
      else incoming.socket.resetAndDestroy()
    })
    const http = client({ connections: 1 })
    const [first, second] = [http.send({ method: 'GET', url }), http.send({ method: 'PATCH', url, body: '{}' })]
    expect((await first).status).toBe(200)
    expect(await reached(second)).toBe('maybe')
    expect(asked).toBe(2)
  })

  it('is a request without an answer in time: no headers, or a body that drips', async () => {
    const silent = await serveHttp(() => {})
    const dripping = await serveHttp((_, response) => {
      const drip = setInterval(() => response.write('.'), 20)
      response.on('close', () => clearInterval(drip))
    })
    const errors = await Promise.all(
      [silent, dripping].map((url) => failure(client({ timeoutMs: ENOUGH_MS }).send({ method: 'GET', url }))),
    )
    for (const error of errors) {
      expect(error.reached).toBe('maybe')
      expect(error.message).toContain(`within ${ENOUGH_MS / 1000} s`)
    }
  })

  it('is a request that was called off while it was under way', async () => {
    const aborting = new AbortController()
    const url = await serveHttp(() => aborting.abort())
    const error = await failure(client().send({ method: 'GET', url }, aborting.signal))
    expect(error.reached).toBe('maybe')
    expect(error.message).toContain('was left before it answered')
  })

  it('is a request with an answer that is too long, cut short, compressed, or no HTTP', async () => {
    const answers: Record<string, RequestListener> = {
      long: (_, response) => response.end('x'.repeat(2000)),
      cut: (_, response) => {
        response.writeHead(200, { 'content-length': '100' }).write('x')
        response.socket!.end()
      },
      compressed: (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{}')),
    }
    for (const answer of Object.values(answers)) {
      const url = await serveHttp(answer)
      expect(await reached(client().send({ method: 'GET', url, answerBytesMax: 1000 }))).toBe('maybe')
    }
    const url = await serveTcp((socket) => socket.once('data', () => socket.end('HELLO\r\n\r\n')))
    expect(await reached(client().send({ method: 'GET', url }))).toBe('maybe')
  })
})

describe('a connection that the server closed while it idled', () => {
  it('costs neither an error nor a doubt', async () => {
    const closed: Promise<unknown>[] = []
    const seen: string[] = []
    const server = createHttpServer((incoming: IncomingMessage, response: ServerResponse) => {
      seen.push(incoming.method!)
      response.end()
      // As a server does that closes idle connections: right after an answer which promised to keep it.
      response.on('finish', () => incoming.socket.end())
      closed.push(once(incoming.socket, 'close'))
    })
    const url = `http://${await listening(server)}/`
    const http = client({ connections: 1 })
    for (let at = 0; at < 20; at++) {
      expect((await http.send({ method: 'PATCH', url, body: '{}' })).status).toBe(200)
      if (at % 2 === 0) await closed.at(-1)
    }
    expect(seen).toHaveLength(20)
  })
})

describe('an exchange', () => {
  it('asks for no compression, follows no redirect, and answers whatever the status', async () => {
    let encoding: unknown
    const url = await serveHttp((incoming, response) => {
      encoding = incoming.headers['accept-encoding']
      response.writeHead(307, { location: '/elsewhere' }).end('there')
    })
    const answer = await client().send({ method: 'PUT', url, body: '{}' })
    expect([answer.status, answer.headers.location, answer.body.toString()]).toEqual([307, '/elsewhere', 'there'])
    expect(encoding).toBe('identity')
  })

  it('uses connections again, and no more of them than it was told', async () => {
    const sockets = new Set<Socket>()
    const url = await serveHttp((incoming, response) => {
      sockets.add(incoming.socket)
      setImmediate(() => response.end())
    })
    const http = client({ connections: 2 })
    await Promise.all(Array.from({ length: 10 }, () => http.send({ method: 'GET', url })))
    for (let at = 0; at < 5; at++) await http.send({ method: 'GET', url })
    expect(sockets.size).toBeLessThanOrEqual(2)
  })

  it('reaches a private address that was declared, by its name too', async () => {
    const url = await serveHttp((_, response) => response.end('in'))
    expect((await client().send({ method: 'GET', url: url.replace('127.0.0.1', 'localhost') })).status).toBe(200)
  })

  it('tells nothing of the path, the headers, the body or the answer when it fails', async () => {
    const canary = 'canary-7d1f'
    const meets: ((socket: Socket) => void)[] = [
      (socket) => socket.once('data', () => socket.end(`${canary}\r\n\r\n`)),
      (socket) => socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\nbad ${canary}: 1\r\n\r\n`)),
      (socket) => socket.once('data', () => socket.resetAndDestroy()),
    ]
    for (const meet of meets) {
      const url = await serveTcp(meet)
      const request = { method: 'PUT', url: `${url}${canary}?${canary}`, headers: { a: canary }, body: canary } as const
      expect(inspect(await failure(client().send(request)), { depth: 9, showHidden: true })).not.toContain(canary)
    }
    const unusable = [
      { method: 'GET', url: `http://${canary}:x/` },
      { method: 'GET', url: 'http://127.0.0.1/', headers: { a: `${canary}\r\nb: c` } },
    ] as const
    for (const request of unusable)
      expect(inspect(await failure(client().send(request)), { depth: 9, showHidden: true })).not.toContain(canary)
  })
})

describe('Retry-After', () => {
  const NOW = Date.parse('2026-01-01T00:00:00Z')
  it.each([
    ['7', 7000],
    ['0', 0],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['999999999', 3_600_000],
    ['soon', 500],
    [undefined, 500],
  ])('%s is %i ms', (text, ms) => {
    expect(retryAfterMs({ 'retry-after': text }, 500, NOW)).toBe(ms)
  })
})
