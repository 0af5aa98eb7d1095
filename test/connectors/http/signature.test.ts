import { Webhook } from 'standardwebhooks'
import { afterEach, describe, expect, it } from 'vitest'
import { readSecrets, signatureHeaders } from '../../../connectors/http/signature.ts'
import { fullPatch, removal } from '../../contract/destination-contract.ts'
import { type HttpSubject, httpSubject } from './http-subject.ts'

const OLD = `whsec_${Buffer.alloc(24, 1).toString('base64')}`
const NEW = `whsec_${Buffer.alloc(64, 2).toString('base64')}`
const OTHER = `whsec_${Buffer.alloc(32, 3).toString('base64')}`

let subject: HttpSubject | null = null
afterEach(async () => {
  await subject?.close()
  subject = null
})

describe('requests are signed so that standardwebhooks', () => {
  it('verifies each of them, with the old secret and with the new one', async () => {
    subject = await httpSubject({}, { secrets: [NEW, OLD] })
    await subject.apply(fullPatch('1', 1, { id: '1', name: 'Zoë 🦊', email: null, credit: '0.10' }))
    await subject.apply(removal('1', 2))
    expect(subject.sandbox.requests.map(({ method }) => method)).toEqual(['PATCH', 'PUT', 'DELETE'])
    for (const { headers, body } of subject.sandbox.requests) {
      const given = headers as Record<string, string>
      // A delete has no body: what is verified is then the empty text, which the client's JSON reading stumbles over.
      for (const secret of [OLD, NEW]) expect(signatures(secret, given, body)).toContain(true)
      expect(signatures(OTHER, given, body)).not.toContain(true)
      expect(signatures(NEW, given, `${body} `)).not.toContain(true)
      if (body !== '') expect(new Webhook(OLD).verify(body, given)).toEqual(JSON.parse(body))
      if (body !== '') expect(() => new Webhook(OTHER).verify(body, given)).toThrow()
    }
  })

  it('and the sandbox let no other in', async () => {
    subject = await httpSubject({ secrets: [NEW] }, { secrets: [OTHER] })
    expect(await subject.apply(fullPatch('1', 1, { id: '1' }))).toMatchObject({ kind: 'unavailable' })
    const sent = { 'webhook-id': 'msg_1', 'webhook-timestamp': String(Math.floor(Date.now() / 1000)) }
    const url = `${subject.sandbox.url}/v1/customers/1`
    const put = (body: string, signature: string) =>
      fetch(url, { method: 'PUT', body, headers: { ...sent, 'webhook-signature': signature } })
    const signature = new Webhook(NEW).sign('msg_1', new Date(Number(sent['webhook-timestamp']) * 1000), '{"a":1}')
    expect((await put('{"a":1}', signature)).status).toBe(201)
    expect((await put('{"a":2}', signature)).status).toBe(401)
  })
})

/** Whether one of the signatures is what the other client would write. */
function signatures(secret: string, headers: Record<string, string>, body: string): boolean[] {
  const at = new Date(Number(headers['webhook-timestamp']) * 1000)
  const expected = new Webhook(secret).sign(headers['webhook-id']!, at, body)
  return headers['webhook-signature']!.split(' ').map((signature) => signature === expected)
}

it('a request is not signed without a secret', () => {
  expect(signatureHeaders([], 'id', 0, '{}')).toEqual({})
})

it('time is told in whole seconds', () => {
  expect(signatureHeaders(readSecrets([OLD]), 'id', 1999, '{}')['webhook-timestamp']).toBe('1')
})
