import { inspect } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import type { Outcome } from '../../../connectors/destination.ts'
import { fullPatch, partialPatch, removal } from '../../contract/destination-contract.ts'
import { type HttpSubject, httpSubject } from './http-subject.ts'

const KEY = 'canary-key-4711'
const NAME = 'canary-name'
const EMAIL = 'canary@email.example'
const SECRET = `whsec_${Buffer.from('canary-signing-secret-0000').toString('base64')}`
const BEARER = 'Bearer canary-bearer'
const CANARIES = [KEY, NAME, EMAIL, SECRET, SECRET.slice(6), BEARER]
const PERSON = { id: KEY, name: NAME, email: EMAIL, credit: '1.00' }

let subject: HttpSubject
afterEach(() => subject.close())
const start = async () => {
  subject = await httpSubject(
    { secrets: [SECRET], authorization: BEARER },
    { secrets: [SECRET], headers: { authorization: BEARER }, timeoutMs: 3000 },
  )
}

function expectClean(told: unknown): void {
  const text = inspect(told, { depth: 20, showHidden: true, maxStringLength: null })
  for (const canary of CANARIES) expect(text).not.toContain(canary)
}

describe('no secret and nothing of a person', () => {
  it('is in an outcome or an error, whatever goes wrong', async () => {
    await start()
    const outcomes: Outcome[] = []
    const wrongs = [
      ...[400, 401, 403, 404, 405, 409, 412, 415, 422, 428, 429, 500, 501, 502, 503].map((status) => ({ status })),
      { rejectKeys: [KEY] },
      { reset: 'before' as const },
      { reset: 'after' as const },
      { hang: 'before' as const },
      { down: true },
    ]
    for (const wrong of wrongs) {
      await subject.sandbox.misbehave(wrong)
      outcomes.push(await subject.apply(fullPatch(KEY, 1, PERSON)))
      if (wrong !== wrongs.at(-2)) outcomes.push(await subject.apply(removal(KEY, 2)))
      for (const asking of [subject.read(KEY), subject.destination.check()])
        await asking.then(
          () => {},
          (error: unknown) => expectClean(error),
        )
    }
    await subject.sandbox.misbehave({})
    for (const bad of ['..', `../${KEY}`]) outcomes.push(await subject.apply(fullPatch(bad, 1, PERSON)))
    outcomes.push(await subject.apply(fullPatch(KEY, 1, { ...PERSON, credit: NAME })))
    expect(new Set(outcomes.map(({ kind }) => kind)).size).toBeGreaterThan(6)
    expectClean(outcomes)
  })

  it('is in the headers of a request, but for what the declaration puts there; the key is in the path and the values in the body', async () => {
    await start()
    expect((await subject.apply(fullPatch(KEY, 1, PERSON))).kind).toBe('applied')
    expect(subject.sandbox.requests).toHaveLength(2)
    for (const { headers, path, body } of subject.sandbox.requests) {
      expectClean(headers)
      expect(path).toBe(`/v1/customers/${KEY}`)
      expect(body).toContain(EMAIL)
    }
  })

  it('is in a preview: secrets are left out, and values are in the body alone', async () => {
    await start()
    const preview = subject.destination.preview!(subject.mapping, partialPatch(KEY, 2, { email: EMAIL }))
    expect(preview.request).toBe(`PATCH ${subject.sandbox.url}/v1/customers/${KEY}`)
    expect(preview.headers).toMatchObject({
      authorization: '…',
      'webhook-signature': '…',
      'tributary-version': '1/2/0',
    })
    expect(preview.body).toBe(`{"email":"${EMAIL}"}`)
    expectClean(preview.headers)
    expect(subject.sandbox.requests).toEqual([])
    expectClean(subject.destination.preview!(subject.mapping, fullPatch('..', 1, PERSON)))
    expectClean(subject.destination)
  })
})
