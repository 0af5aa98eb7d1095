import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { Patch } from '../../../connectors/destination.ts'
import { createHttp } from '../../../connectors/http/destination.ts'
import { fullPatch, partialPatch, removal } from '../../contract/destination-contract.ts'
import { customers, type HttpSubject, httpSubject } from './http-subject.ts'

const ALICE = { id: '1', name: 'Alice', email: 'a@example.com', credit: '12345678901234567890.10' }

let subject: HttpSubject
afterEach(() => subject.close())

describe('a patch', () => {
  it('is a merge patch of what changed, and keeps every digit (RFC 7396)', async () => {
    subject = await httpSubject()
    await subject.apply(fullPatch('1', 1, ALICE))
    subject.sandbox.forgetRequests()
    await subject.apply(partialPatch('1', 2, { credit: '99999999999999999999.99', email: null }))
    expect(subject.sandbox.requests).toMatchObject([
      { method: 'PATCH', path: '/v1/customers/1', body: '{"email":null,"credit":99999999999999999999.99}' },
    ])
    expect(subject.sandbox.requests[0]?.headers['content-type']).toBe('application/merge-patch+json')
    expect(await subject.read('1')).toEqual({ ...ALICE, email: null, credit: '99999999999999999999.99' })
  })

  it('that is not full makes nothing, also where a server makes objects by PATCH (RFC 9110, 13.1.1)', async () => {
    subject = await httpSubject()
    expect(await subject.apply(partialPatch('1', 1, { name: 'Bob' }))).toEqual({ kind: 'absent' })
    expect(subject.sandbox.requests.at(-1)).toMatchObject({ method: 'PATCH', result: 412 })
    expect(subject.sandbox.requests.at(-1)?.headers['if-match']).toBe('*')
    await subject.apply(fullPatch('1', 1, ALICE))
    expect(await subject.apply(partialPatch('1', 2, { name: 'Bob' }))).toEqual({ kind: 'applied' })
    await subject.apply(fullPatch('1', 3, ALICE))
    expect(subject.sandbox.requests.at(-1)?.headers).not.toHaveProperty('if-match')
  })

  it('that is full leaves fields alone which are not mapped', async () => {
    subject = await httpSubject()
    const url = `${subject.sandbox.url}/v1/customers/1`
    await fetch(url, { method: 'PUT', body: JSON.stringify({ name: 'Old', theirs: true }) })
    expect(await subject.apply(fullPatch('1', 1, ALICE))).toEqual({ kind: 'applied' })
    expect(subject.held('1')).toMatchObject({ name: 'Alice', theirs: true })
  })

  it('that is full makes what is missing, under the condition that it is still missing', async () => {
    subject = await httpSubject({ etags: 'strong' })
    expect(await subject.apply(fullPatch('1', 1, { ...ALICE, email: null }))).toEqual({ kind: 'applied', tag: '"r1"' })
    const [patch, put] = subject.sandbox.requests
    expect([patch?.method, patch?.result, put?.method, put?.result]).toEqual(['PATCH', 404, 'PUT', 201])
    expect(put?.headers['if-none-match']).toBe('*')
    expect(subject.held('1')).not.toHaveProperty('email')
  })

  it('makes objects by POST to the collection where that was declared', async () => {
    subject = await httpSubject({ createsByPost: true }, { create: 'post' })
    expect(await subject.apply(fullPatch('a/b', 1, { ...ALICE, id: 'a/b' }))).toEqual({ kind: 'applied' })
    expect(subject.sandbox.requests[1]).toMatchObject({ method: 'POST', path: '/v1/customers', result: 201 })
    expect(await subject.apply(partialPatch('a/b', 2, { name: 'Bob' }))).toEqual({ kind: 'applied' })
  })

  it('waits where there is nothing to make the object in, and where objects are only changed', async () => {
    subject = await httpSubject({ createsByPost: true })
    expect(await subject.apply(fullPatch('1', 1, ALICE))).toMatchObject({ kind: 'blocked', code: 'parent-missing' })
    await subject.close()
    subject = await httpSubject({}, {}, customers({ updateOnly: true }))
    expect(await subject.apply(fullPatch('1', 1, ALICE))).toMatchObject({ kind: 'blocked', code: 'object-missing' })
    expect(subject.sandbox.requests).toHaveLength(1)
  })

  it('for a key that no path leads to is rejected, and nothing is sent', async () => {
    subject = await httpSubject()
    for (const key of ['', '..', '../admin', '%2e%2e'])
      for (const patch of [fullPatch(key, 1, ALICE), removal(key, 1)])
        expect(await subject.apply(patch)).toMatchObject({ kind: 'rejected', code: 'key-not-addressable' })
    expect(subject.sandbox.requests).toEqual([])
  })
})

describe('an ETag', () => {
  it('is the tag of what was applied, and goes into If-Match', async () => {
    subject = await httpSubject({ etags: 'strong' })
    await subject.apply(fullPatch('1', 1, ALICE))
    const outcome = await subject.apply({ ...partialPatch('1', 2, { name: 'Bob' }), tag: '"r1"' })
    expect(outcome).toEqual({ kind: 'applied', tag: '"r2"' })
    expect(subject.sandbox.requests.at(-1)?.headers['if-match']).toBe('"r1"')
    expect(await subject.apply({ ...partialPatch('1', 3, { name: 'Eve' }), tag: '"r1"' })).toEqual({ kind: 'conflict' })
    expect(await subject.apply({ ...removal('1', 3), tag: '"r1"' })).toEqual({ kind: 'conflict' })
    expect(subject.held('1')).toMatchObject({ name: 'Bob' })
    expect(await subject.apply(removal('1', 4))).toEqual({ kind: 'applied' })
  })

  it('that is weak is none: it matches nothing (RFC 9110, 13.1.1)', async () => {
    subject = await httpSubject({ etags: 'weak' })
    expect(await subject.apply(fullPatch('1', 1, ALICE))).toEqual({ kind: 'applied' })
  })

  it('is read first where nothing is changed without one (RFC 6585, 428)', async () => {
    subject = await httpSubject({ etags: 'strong', requiresTags: true })
    await subject.apply(fullPatch('1', 1, ALICE))
    expect(await subject.apply(fullPatch('1', 2, ALICE))).toEqual({ kind: 'applied', tag: '"r2"' })
    expect(subject.sandbox.requests.slice(-3).map(({ method }) => method)).toEqual(['PATCH', 'GET', 'PATCH'])
    expect(await subject.apply(removal('1', 3))).toEqual({ kind: 'applied' })
  })
})

describe('an answer', () => {
  const CASES: readonly (readonly [number, string])[] = [
    [400, 'rejected'],
    [401, 'unavailable'],
    [403, 'unavailable'],
    [404, 'absent'],
    [405, 'unavailable'],
    [408, 'unknown'],
    [409, 'blocked'],
    [410, 'absent'],
    // Without a tag it asks only that there is one.
    [412, 'absent'],
    [413, 'rejected'],
    [415, 'unavailable'],
    [418, 'rejected'],
    [422, 'rejected'],
    [423, 'blocked'],
    [428, 'unavailable'],
    [429, 'throttled'],
    [500, 'unknown'],
    [501, 'unavailable'],
    [502, 'unknown'],
    [503, 'unknown'],
    [504, 'unknown'],
    [507, 'unavailable'],
    [599, 'unknown'],
  ]
  it('means the same for every status', async () => {
    subject = await httpSubject()
    const met: (readonly [number, string])[] = []
    await subject.apply(fullPatch('1', 1, ALICE))
    for (const [status] of CASES) {
      await subject.sandbox.misbehave({ status, methods: ['PATCH'] })
      met.push([status, (await subject.apply(partialPatch('1', 2, { name: 'Bob' }))).kind])
    }
    expect(met).toEqual(CASES)
  })

  it('404 and 410 to a delete mean that it is done', async () => {
    subject = await httpSubject()
    expect(await subject.apply(removal('1', 1))).toEqual({ kind: 'applied' })
    await subject.sandbox.misbehave({ status: 410 })
    expect(await subject.apply(removal('1', 1))).toEqual({ kind: 'applied' })
  })

  it.each([
    ['text/html; charset=utf-8', '<html>no route</html>'],
    ['', '<!doctype html><title>404</title>'],
  ])('404 with a page of something in between (%s) says nothing of an object', async (type, body) => {
    const other = await answering(404, type === '' ? {} : { 'content-type': type }, body)
    for (const patch of [removal('1', 3), partialPatch('1', 3, { name: 'Bob' }), fullPatch('1', 3, ALICE)])
      expect(await other.apply(patch)).toMatchObject({
        kind: 'unavailable',
        error: { code: 'destination-unreachable' },
      })
    await expect(other.read('1')).rejects.toMatchObject({ code: 'destination-unreachable' })
    await other.close()
  })

  it.each(['default backend - 404', '404 page not found\n'])(
    '404 with %s is not good enough for a delete',
    async (body) => {
      const other = await answering(404, { 'content-type': 'text/plain' }, body)
      expect(await other.apply(removal('1', 3))).toMatchObject({ kind: 'unavailable' })
      expect(await other.apply(partialPatch('1', 3, { name: 'Bob' }))).toEqual({ kind: 'absent' })
      await other.close()
    },
  )

  it.each([
    ['application/problem+json', '{"title":"no such object"}'],
    ['text/plain; charset=utf-8', 'Not Found'],
    ['', ''],
  ])('404 of the API itself (%s) says that the object is missing', async (type, body) => {
    const other = await answering(404, type === '' ? {} : { 'content-type': type }, body)
    expect(await other.apply(removal('1', 3))).toEqual({ kind: 'applied' })
    expect(await other.apply(partialPatch('1', 3, { name: 'Bob' }))).toEqual({ kind: 'absent' })
    await other.close()
  })

  it('503 may come after the request was passed on; with Retry-After it asks for rest', async () => {
    const text = 'upstream connect error or disconnect/reset before headers. reset reason: connection termination'
    const envoy = await answering(503, { server: 'envoy' }, text)
    for (const patch of [removal('1', 3), partialPatch('1', 3, { name: 'Bob' }), fullPatch('1', 3, ALICE)])
      expect((await envoy.apply(patch)).kind).toBe('unknown')
    await envoy.close()
    const busy = await answering(503, { 'retry-after': '3' }, '')
    expect(await busy.apply(removal('1', 3))).toEqual({ kind: 'throttled', afterMs: 3000 })
    await busy.close()
  })

  it('429 tells when to come again', async () => {
    subject = await httpSubject()
    await subject.sandbox.misbehave({ throttle: { retryAfterSeconds: 7 } })
    expect(await subject.apply(fullPatch('1', 1, ALICE))).toEqual({ kind: 'throttled', afterMs: 7000 })
  })

  it('422 names the fields that it names, of ours, and nothing else of it', async () => {
    subject = await httpSubject()
    await subject.sandbox.misbehave({ rejectKeys: ['1'] })
    const reason = 'PATCH is answered 422; it names email'
    const outcome = await subject.apply(partialPatch('1', 1, { email: 'a@example.com' }))
    expect(outcome).toEqual({ kind: 'rejected', code: 'status-422', reason })
    expect(await subject.apply(fullPatch('2', 1, ALICE))).toMatchObject({ kind: 'applied' })
  })

  it('that never comes leaves it unknown what was applied; what was never sent is known', async () => {
    subject = await httpSubject()
    await subject.apply(fullPatch('1', 1, ALICE))
    await subject.sandbox.misbehave({ reset: 'before' })
    expect((await subject.apply(partialPatch('1', 2, { name: 'B' }))).kind).toBe('unknown')
    await subject.sandbox.misbehave({ reset: 'after' })
    expect((await subject.apply(partialPatch('1', 3, { name: 'C' }))).kind).toBe('unknown')
    expect(subject.held('1')).toMatchObject({ name: 'C' })
    await subject.sandbox.misbehave({ down: true })
    expect((await subject.apply(partialPatch('1', 4, { name: 'D' }))).kind).toBe('unavailable')
    await subject.sandbox.misbehave({})
    expect((await subject.apply(fullPatch('1', 4, ALICE))).kind).toBe('applied')
  })

  it('that hangs is given up in time', async () => {
    subject = await httpSubject({}, { timeoutMs: 3000 })
    await subject.sandbox.misbehave({ hang: 'after' })
    expect((await subject.apply(fullPatch('1', 1, ALICE))).kind).toBe('unknown')
  })

  it('that leads elsewhere is not followed', async () => {
    subject = await httpSubject()
    await subject.sandbox.misbehave({})
    const server = createServer((_, response) => response.writeHead(307, { location: subject.sandbox.url }).end())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const moved = createHttp({ ...OPTIONS, url: `http://127.0.0.1:${port}` })
    const [outcome] = await moved.apply(customers(), [fullPatch('1', 1, ALICE)], new AbortController().signal)
    expect(outcome).toMatchObject({ kind: 'unavailable', error: { code: 'destination-unsuitable' } })
    expect(subject.sandbox.requests).toEqual([])
    await moved.close()
    server.closeAllConnections()
    server.close()
  })
})

describe('a repeated request', () => {
  it('heals at a receiver that does nothing twice for one idempotency key', async () => {
    subject = await httpSubject({ dedupes: true })
    await subject.apply(fullPatch('1', 1, ALICE))
    const newest = fullPatch('1', 3, { ...ALICE, name: 'Newest' })
    await subject.apply(newest)
    // A request that a frozen former owner sent lands late, and is put right by the same patch once more.
    await subject.apply(partialPatch('1', 2, { name: 'Stale' }))
    expect(subject.held('1')).toMatchObject({ name: 'Stale' })
    await subject.apply(newest)
    expect(subject.held('1')).toMatchObject({ name: 'Newest' })
  })

  it('has an idempotency key of its own, but for one where versions are compared', async () => {
    const keysOf = (of: HttpSubject) => of.sandbox.requests.slice(-2).map(({ headers }) => headers['idempotency-key'])
    subject = await httpSubject()
    await subject.apply(fullPatch('1', 1, ALICE))
    for (const patch of [partialPatch('1', 2, { name: 'Bob' }), fullPatch('1', 2, ALICE), removal('1', 3)]) {
      for (const each of [patch, patch]) await subject.apply(each)
      expect(new Set(keysOf(subject)).size).toBe(2)
    }
    await subject.close()
    subject = await httpSubject({ comparesVersions: true }, { comparesVersions: true })
    for (const at of [1, 1, 1]) await subject.apply(fullPatch('1', at, ALICE))
    expect(new Set(keysOf(subject)).size).toBe(1)
    for (const at of [2, 2]) await subject.apply(partialPatch('1', at, { name: 'Bob' }))
    expect(new Set(keysOf(subject)).size).toBe(1)
    const [first, second] = subject.sandbox.requests.slice(-2)
    expect(first?.headers['tributary-version']).toBe('1/2/0')
    expect(first?.headers['tributary-id']).toBe(second?.headers['tributary-id'])
  })
})

/** A destination whose system gives one answer to everything. */
async function answering(status: number, headers: Readonly<Record<string, string>>, body: string) {
  const server = createServer((_, response) => response.writeHead(status, headers).end(body))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const destination = createHttp({ ...OPTIONS, url: `http://127.0.0.1:${port}` })
  const never = new AbortController().signal
  return {
    apply: async (patch: Patch) => (await destination.apply(customers(), [patch], never))[0]!,
    read: (key: string) => destination.read!(customers(), key, never),
    async close() {
      await destination.close()
      server.closeAllConnections()
      server.close()
    },
  }
}

const OPTIONS = {
  name: 'shop',
  url: 'http://127.0.0.1:1',
  secrets: [],
  headers: {},
  allowAddresses: ['127.0.0.1'],
  connections: 1,
  timeoutMs: 60_000,
  mappings: [customers()],
}

describe('a declaration', () => {
  it.each([
    ['an address with a user', { url: 'https://user:pass@shop.example' }],
    ['an address with a query', { url: 'https://shop.example/?key=pass' }],
    ['another protocol', { url: 'ftp://shop.example/' }],
    ['a secret that is none', { secrets: ['pass'] }],
    ['a secret that is too short', { secrets: [`whsec_${Buffer.from('pass').toString('base64')}`] }],
    ['a header of ours', { headers: { 'Content-Type': 'pass' } }],
    ['a header that breaks lines', { headers: { a: 'pass\r\nb: c' } }],
    ['a target without its key', { mappings: [customers({ target: '/customers/{id}' })] }],
  ])('is refused for %s, without telling a secret', (_, more) => {
    expect(() => createHttp({ ...OPTIONS, ...more })).toThrow(expect.objectContaining({ code: 'declaration-invalid' }))
    expect(() => createHttp({ ...OPTIONS, ...more })).toThrow(/^(?!.*pass)/s)
  })

  it('of deletes that HTTP has no form for is told by plan, and refused by check and provision', async () => {
    subject = await httpSubject({}, {}, customers({ onDelete: 'soft' }))
    expect(await subject.destination.plan()).toEqual([expect.stringContaining('`hard` and `ignore` are possible')])
    const unsuitable = expect.objectContaining({ code: 'destination-unsuitable' })
    await expect(subject.destination.provision()).rejects.toEqual(unsuitable)
    await expect(subject.destination.check()).rejects.toEqual(unsuitable)
  })

  it('of credentials that are refused, and of an address where nobody is, is told by check', async () => {
    subject = await httpSubject({ authorization: 'Bearer good' }, { headers: { authorization: 'Bearer bad' } })
    await expect(subject.destination.check()).rejects.toMatchObject({ code: 'destination-unsuitable' })
    await subject.sandbox.misbehave({ down: true })
    await expect(subject.destination.check()).rejects.toMatchObject({ code: 'destination-unreachable' })
    await expect(subject.read('1')).rejects.toMatchObject({ code: 'destination-unreachable' })
  })
})
