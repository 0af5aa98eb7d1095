import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { TributaryError } from '../../schemas/errors.ts'
import { createRegistry } from '../../schemas/registry.ts'

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function errorOf(promise: Promise<unknown>): Promise<TributaryError> {
  const outcome = await promise.then(
    () => new Error('nothing was thrown'),
    (error: unknown) => error,
  )
  if (outcome instanceof TributaryError) return outcome
  throw outcome
}

const JSON_TYPE = { 'content-type': 'application/json' }

test('a missing schema is told by the registry’s own error code', async () => {
  const host = await serve((_request, response) => {
    response.writeHead(404, JSON_TYPE).end('{"error_code":40403,"message":"Schema not found"}')
  })
  const registry = createRegistry({ url: `http://${host}` })
  expect(await registry.schemaById(9, 'shop.order-value')).toBeUndefined()
  expect(await registry.versions('shop.order-value')).toStrictEqual([])
})

test('a subject has its own compatibility, or else that of the registry', async () => {
  const host = await serve((request, response) => {
    if (request.url === '/config/own') response.writeHead(200, JSON_TYPE).end('{"compatibilityLevel":"NONE"}')
    else if (request.url === '/config') response.writeHead(200, JSON_TYPE).end('{"compatibilityLevel":"BACKWARD"}')
    else response.writeHead(404, JSON_TYPE).end('{"error_code":40408,"message":"Subject not configured"}')
  })
  const registry = createRegistry({ url: `http://${host}` })
  expect([await registry.compatibility('own'), await registry.compatibility('other')]).toEqual(['NONE', 'BACKWARD'])
})

test.each<[string, number, string]>([
  ['a proxy’s 404', 404, '<html>not found</html>'],
  ['an empty 404', 404, ''],
  ['a 404 in JSON of someone else', 404, '{"message":"no such route"}'],
  ['a 400 without a code', 400, '{}'],
  ['a 503', 503, '{"error_code":50301}'],
  ['a 429', 429, '{"error_code":42901}'],
  ['a 200 that is a login page', 200, '<html>'],
  ['a 200 of another API', 200, '{"hello":1}'],
])('%s is no answer of a registry, so it is retried', async (_what, status, body) => {
  let requests = 0
  const host = await serve((_request, response) => {
    requests++
    response.writeHead(status, JSON_TYPE).end(body)
  })
  const error = await errorOf(createRegistry({ url: `http://${host}` }).schemaById(9, 'shop.order-value'))
  expect([error.code, error.fate]).toStrictEqual(['registry-unreachable', 'retry'])
  expect(requests).toBeLessThanOrEqual(4)
})

test('a registry that comes back within the retries is not noticed', async () => {
  let requests = 0
  const host = await serve((request, response) => {
    requests++
    if (requests < 3) request.socket.destroy()
    else response.writeHead(200, JSON_TYPE).end('[]')
  })
  await createRegistry({ url: `http://${host}` }).ping()
  expect(requests).toBe(3)
})

test('a registry that accepts and never answers is given up after the time-out', async () => {
  const host = await serve(() => {})
  const error = await errorOf(createRegistry({ url: `http://${host}`, requestTimeoutMs: 20 }).ping())
  expect(error.code).toBe('registry-unreachable')
})

test('user and password are sent, and are in no error', async () => {
  const seen: (string | undefined)[] = []
  const host = await serve((request, response) => {
    seen.push(request.headers.authorization)
    response.writeHead(401).end()
  })
  const refused = await errorOf(createRegistry({ url: `http://us%40er:hun%3Ater@${host}/api/` }).ping())
  expect(seen).toStrictEqual([`Basic ${Buffer.from('us@er:hun:ter').toString('base64')}`])
  const gone = await errorOf(
    createRegistry({ url: 'http://us%40er:hun%3Ater@127.0.0.1:1', requestTimeoutMs: 1000 }).ping(),
  )
  expect([refused.code, refused.fate]).toStrictEqual(['registry-unsuitable', 'stop'])
  expect([gone.code, gone.fate]).toStrictEqual(['registry-unreachable', 'retry'])
  for (const error of [refused, gone]) {
    expect(inspect(error, { depth: 10 })).not.toMatch(/hun:ter|hun%3Ater|us@er|us%40er/)
  }
})

test.each(['not a url with hunter', 'ftp://user:hunter@host', 'http://user:hunter%@host'])(
  'an address that is not one is refused without being repeated (%#)',
  (url) => {
    let caught: unknown
    try {
      createRegistry({ url })
    } catch (error) {
      caught = error
    }
    expect(caught).toMatchObject({ code: 'declaration-invalid' })
    expect(inspect(caught, { depth: 10 })).not.toContain('hunter')
  },
)
