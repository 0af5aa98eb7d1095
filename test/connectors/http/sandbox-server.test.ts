import { afterEach, describe, expect, it } from 'vitest'
import { type Sandbox, type SandboxSystem, startSandbox } from '../../../connectors/http/sandbox-server.ts'
import { closedPort } from '../../support/cli.ts'

let sandbox: Sandbox
afterEach(() => sandbox.close())

/** Counts what it is asked to do. */
async function start(more: Partial<SandboxSystem> = {}) {
  let done = 0
  sandbox = await startSandbox({
    handle: (request, asked) => {
      if (asked.rejects(request.path.slice(1))) return { status: 422 }
      done++
      return { status: 200, body: { done } }
    },
    objects: (target) => [{ target, done }],
    ...more,
  })
  return { done: () => done, ask: (path = '/x', init?: RequestInit) => fetch(sandbox.url + path, init) }
}

const tell = (how: unknown, url = sandbox.url) =>
  fetch(`${url}/__sandbox/misbehave`, { method: 'POST', body: JSON.stringify(how) })

describe('a sandbox', () => {
  it('answers as its system does, and logs what was asked without secrets', async () => {
    const { ask } = await start({ secretHeaders: ['x-token'] })
    const answered = await ask('/a%2Fb?c=d', {
      method: 'PUT',
      headers: { authorization: 's', 'x-token': 's' },
      body: 'hi',
    })
    expect(await answered.json()).toEqual({ done: 1 })
    expect(sandbox.requests).toMatchObject([{ number: 1, method: 'PUT', path: '/a%2Fb?c=d', body: 'hi', result: 200 }])
    expect(sandbox.requests[0]?.headers).toMatchObject({ authorization: '…', 'x-token': '…' })
    expect(await (await ask('/__sandbox/requests')).json()).toHaveLength(1)
    expect(await (await ask('/__sandbox/objects/a%2Fb')).json()).toEqual([{ target: 'a/b', done: 1 }])
  })

  it('says the address that it is told to have, and listens where it is told to', async () => {
    const system = { handle: () => ({ status: 200 }), objects: () => [] }
    const host = process.platform === 'linux' ? '127.0.0.2' : '::1'
    const port = await closedPort()
    sandbox = await startSandbox(system, { host, port, url: 'http://crm:8080' })
    expect(sandbox.url).toBe('http://crm:8080')
    expect((await fetch(`http://${host.includes(':') ? `[${host}]` : host}:${port}/`)).status).toBe(200)
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow()
  })

  it('throttles after as many as it was told, for as many as it was told', async () => {
    const { ask } = await start()
    await sandbox.misbehave({ throttle: { retryAfterSeconds: 7, after: 1 }, times: 1 })
    const answers = [await ask(), await ask(), await ask()]
    expect(answers.map(({ status }) => status)).toEqual([200, 429, 200])
    expect(answers[1]?.headers.get('retry-after')).toBe('7')
  })

  it('fails with a status before or after applying, and only for the methods it was told', async () => {
    const { ask, done } = await start()
    await sandbox.misbehave({ status: 503, methods: ['PATCH'] })
    expect((await ask()).status).toBe(200)
    expect((await ask('/x', { method: 'PATCH' })).status).toBe(503)
    expect(done()).toBe(1)
    await sandbox.misbehave({ status: 500, applied: true })
    expect((await ask()).status).toBe(500)
    expect(done()).toBe(2)
  })

  it('resets before and after applying', async () => {
    const { ask, done } = await start()
    await sandbox.misbehave({ reset: 'before' })
    await expect(ask()).rejects.toThrow()
    expect(done()).toBe(0)
    await sandbox.misbehave({ reset: 'after' })
    await expect(ask()).rejects.toThrow()
    expect(done()).toBe(1)
    expect(sandbox.requests.map(({ result }) => result)).toEqual(['reset-before', 'reset-after'])
  })

  it('says nothing when it hangs', async () => {
    const { ask, done } = await start()
    await sandbox.misbehave({ hang: 'after' })
    const aborting = new AbortController()
    const asked = ask('/x', { signal: aborting.signal })
    await expect.poll(done).toBe(1)
    aborting.abort()
    await expect(asked).rejects.toThrow()
    expect(sandbox.requests[0]?.result).toBe('hung-after')
  })

  it('rejects records by their keys, and expires tokens once', async () => {
    let expired = 0
    const { ask } = await start({ expireTokens: () => void expired++ })
    await sandbox.misbehave({ rejectKeys: ['bad'], expireTokens: true })
    expect((await ask('/bad')).status).toBe(422)
    expect((await ask('/good')).status).toBe(200)
    expect(expired).toBe(1)
  })

  it('refuses connections while it is down, is steered by the control address meanwhile, and comes back at the same port', async () => {
    const { ask } = await start()
    expect((await tell({ down: true }, sandbox.controlUrl)).status).toBe(204)
    await expect(ask()).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
    await tell({}, sandbox.controlUrl)
    expect((await ask()).status).toBe(200)
  })

  it('does not touch token requests, nor logs their bodies', async () => {
    const { ask } = await start({ isToken: ({ path }) => path === '/token' })
    await sandbox.misbehave({ status: 500 })
    expect((await ask('/token', { method: 'POST', body: 'client_secret=s' })).status).toBe(200)
    expect(sandbox.requests[0]?.body).toBe('…')
  })

  it('refuses what it does not know to do wrong', async () => {
    await start()
    expect((await tell({ latency: 5 })).status).toBe(400)
  })
})
