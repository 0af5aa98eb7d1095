import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { type HttpSandboxOptions, startHttpSandbox } from '../../../connectors/http/sandbox.ts'
import type { Sandbox } from '../../../connectors/http/sandbox-server.ts'

let sandbox: Sandbox | null = null
afterEach(async () => {
  await sandbox?.close()
  sandbox = null
})

const MERGE = { 'content-type': 'application/merge-patch+json' }
const start = async (options: HttpSandboxOptions = {}) => {
  sandbox = await startHttpSandbox(options)
  const { url } = sandbox
  return async (method: string, path: string, body?: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(url + path, { method, headers, ...(body === undefined ? {} : { body }) })
    return { status: answer.status, etag: answer.headers.get('etag'), text: await answer.text() }
  }
}

describe('the sandbox of a REST API', () => {
  // RFC 7396, appendix A: the test cases of the standard, those whose target is an object.
  it.each([
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', '{}'],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['["a","b"]', '["c","d"]', '["c","d"]'],
    ['{"a":"b"}', '["c"]', '["c"]'],
    ['{"a":"foo"}', 'null', 'null'],
    ['{"a":"foo"}', '"bar"', '"bar"'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
    ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
    ['{"n":12345678901234567890.10}', '{"m":1}', '{"n":12345678901234567890.10,"m":1}'],
  ])('merges into %s the patch %s as RFC 7396 says', async (held, patch, merged) => {
    const ask = await start()
    await ask('PUT', '/c/1', held)
    expect(await ask('PATCH', '/c/1', patch, MERGE)).toMatchObject({ status: 200, text: merged })
  })

  it('changes, makes and removes as RFC 5789 and RFC 9110 say', async () => {
    const ask = await start({ etags: 'strong' })
    expect((await ask('PATCH', '/c/1', '{}', MERGE)).status).toBe(404)
    expect((await ask('PATCH', '/c/1', '{}', { 'content-type': 'application/json' })).status).toBe(415)
    expect((await ask('PUT', '/c/1', '{', {})).status).toBe(400)
    expect(await ask('PUT', '/c/1', '{}', { 'if-none-match': '*' })).toMatchObject({ status: 201, etag: '"r1"' })
    expect((await ask('PUT', '/c/1', '{}', { 'if-none-match': '*' })).status).toBe(412)
    expect((await ask('PATCH', '/c/1', '{}', { ...MERGE, 'if-match': '"r0"' })).status).toBe(412)
    expect((await ask('PATCH', '/c/1', '{}', { ...MERGE, 'if-match': 'W/"r1"' })).status).toBe(412)
    // RFC 9110, 13.1.1: it is false where there is nothing.
    expect((await ask('PATCH', '/c/2', '{}', { ...MERGE, 'if-match': '*' })).status).toBe(412)
    expect(await ask('PATCH', '/c/1', '{}', { ...MERGE, 'if-match': '"r1"' })).toMatchObject({
      status: 200,
      etag: '"r2"',
    })
    expect((await ask('GET', '/c/1')).etag).toBe('"r2"')
    expect([(await ask('DELETE', '/c/1')).status, (await ask('DELETE', '/c/1')).status]).toEqual([204, 404])
    expect((await ask('POST', '/c', '{"id":"1"}')).status).toBe(405)
  })

  it('is a process of its own, steered over HTTP', async () => {
    const file = fileURLToPath(new URL('../../../connectors/http/sandbox.ts', import.meta.url))
    const child = spawn(process.execPath, [file, '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
      const { url, controlUrl } = JSON.parse(line) as { url: string; controlUrl: string }
      await fetch(`${url}/c/1`, { method: 'PUT', body: '{"a":1}' })
      expect(await (await fetch(`${url}/__sandbox/objects/c`)).json()).toEqual([{ key: '1', value: { a: 1 } }])
      await fetch(`${controlUrl}/__sandbox/misbehave`, { method: 'POST', body: '{"status":503}' })
      expect((await fetch(`${url}/c/1`)).status).toBe(503)
    } finally {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    expect(child.exitCode).toBe(0)
  })
})
