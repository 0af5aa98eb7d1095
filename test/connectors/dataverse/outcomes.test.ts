import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createDataverse } from '../../../connectors/dataverse/destination.ts'
import type { Upsert } from '../../../connectors/destination.ts'
import { fullPatch, partialPatch, removal } from '../../contract/destination-contract.ts'
import { mappingOf } from '../odata/mappings.ts'
import { ACCOUNTS, CONTACTS, optionsFor, type Subject, startSubject } from './subject.ts'

let subject: Subject
beforeEach(async () => {
  subject = await startSubject()
})
afterEach(async () => {
  await subject.close()
})

const ACME = { name: 'Acme', creditlimit: '1200.50', numberofemployees: 12n }

async function tagAfter(patch: Upsert): Promise<string> {
  const outcome = await subject.apply(ACCOUNTS, patch)
  expect(outcome).toEqual({ kind: 'applied', tag: expect.stringMatching(/^W\/"\d+"$/) })
  return (outcome as { tag: string }).tag
}

const writes = () =>
  subject.sandbox.requests.filter(({ method, path }) => method !== 'GET' && !path.includes('/oauth2/'))
const lastWrite = () => writes().at(-1)!

describe('a change', () => {
  it('is one PATCH with the changed properties, on the ETag that the ledger knows, without the key in its body', async () => {
    const tag = await tagAfter(fullPatch("o'b #1", 1, ACME))
    subject.sandbox.forgetRequests()
    const patch = { ...partialPatch("o'b #1", 2, { creditlimit: '1300.00', description: null }), tag }
    expect(await subject.apply(ACCOUNTS, patch)).toMatchObject({ kind: 'applied' })
    expect(subject.sandbox.requests).toHaveLength(1)
    const { method, path, headers, body } = lastWrite()
    expect(method).toBe('PATCH')
    expect(path).toBe(`/api/data/v9.2/accounts(erp_id='o''b%20%231')?$select=erp_id`)
    expect(headers['if-match']).toBe(tag)
    expect(body).toBe('{"description":null,"creditlimit":1300.00}')
  })

  it('that makes a row is sent so that it never changes one', async () => {
    await tagAfter(fullPatch('1', 1, ACME))
    expect(lastWrite().headers['if-none-match']).toBe('*')
    expect(writes()).toHaveLength(1)
  })

  it('in full without a known ETag is sent on the ETag that the row has now', async () => {
    const tag = await tagAfter(fullPatch('1', 1, ACME))
    await tagAfter(fullPatch('1', 2, ACME))
    expect(lastWrite().headers['if-match']).toBe(tag)
  })

  it('meets a row that someone else changed: conflict, and nothing is overwritten', async () => {
    const tag = await tagAfter(fullPatch('1', 1, ACME))
    await tagAfter(fullPatch('1', 2, { name: 'Other' }))
    expect(await subject.apply(ACCOUNTS, { ...partialPatch('1', 1, { name: 'Late' }), tag })).toEqual({
      kind: 'conflict',
    })
    expect(await subject.apply(ACCOUNTS, { ...removal('1', 3), tag })).toEqual({ kind: 'conflict' })
    expect(subject.sandbox.objects('accounts')).toMatchObject([{ name: 'Other' }])
  })

  it('with a known ETag of a row that is gone: absent, and in full a conflict, after which it is made again', async () => {
    const tag = await tagAfter(fullPatch('1', 1, ACME))
    await subject.apply(ACCOUNTS, removal('1', 2))
    expect(await subject.apply(ACCOUNTS, { ...partialPatch('1', 3, { name: 'A' }), tag })).toEqual({ kind: 'absent' })
    expect(await subject.apply(ACCOUNTS, { ...fullPatch('1', 3, ACME), tag })).toEqual({ kind: 'conflict' })
    await tagAfter(fullPatch('1', 3, ACME))
  })

  it('is blocked where rows are never made', async () => {
    const mapping = { ...ACCOUNTS, updateOnly: true }
    const outcome = await subject.apply(mapping, fullPatch('1', 1, ACME))
    expect(outcome).toMatchObject({ kind: 'blocked', by: '', code: 'object-missing' })
  })

  it('keeps every digit and microsecond, there and back', async () => {
    const values = {
      name: 'Ünïcode "\\ 😀',
      accountnumber: null,
      description: 'a\nb',
      creditlimit: '-0.10',
      creditonhold: true,
      numberofemployees: -7n,
      industrycode: 3n,
      erp_visits: 9_223_372_036_854_775_807n,
      erp_rate: '9999999999999999999999999999.0123456789',
      erp_since: 1_700_000_000_123_456n,
    }
    await tagAfter(fullPatch('1', 1, values))
    expect(lastWrite().body).toContain('"erp_visits":9223372036854775807,')
    expect(lastWrite().body).toContain('"erp_since":"2023-11-14T22:13:20.123456Z"')
    expect(await subject.destination.read!(ACCOUNTS, '1', new AbortController().signal)).toEqual(values)
  })

  it('of a key with characters that no address may hold goes by the row’s id, and is made by POST', async () => {
    const tag = await subject.apply(ACCOUNTS, fullPatch('a/b?c', 1, ACME))
    expect(tag).toMatchObject({ kind: 'applied', tag: expect.stringMatching(/^accounts\([0-9a-f-]{36}\) W\/"\d+"$/) })
    expect(lastWrite()).toMatchObject({ method: 'POST', path: '/api/data/v9.2/accounts?$select=erp_id' })
    expect(await subject.apply(ACCOUNTS, fullPatch('a/b?c', 2, { name: 'B' }))).toMatchObject({ kind: 'applied' })
    const known = { ...partialPatch('a/b?c', 3, { name: 'C' }), tag: (tag as { tag: string }).tag }
    expect(await subject.apply(ACCOUNTS, known)).toEqual({ kind: 'conflict' })
    expect(await subject.apply(ACCOUNTS, removal('a/b?c', 4))).toEqual({ kind: 'applied' })
    expect(subject.sandbox.objects('accounts')).toEqual([])
  })

  it('can go by the primary key', async () => {
    const mapping = mappingOf('accounts', ['accountid'], { name: 'string', accountid: 'uuid' })
    const id = '0a1b2c3d-0000-4000-8000-00000000000a'
    expect(await subject.apply(mapping, fullPatch(id, 1, { name: 'A', accountid: id }))).toMatchObject({
      kind: 'applied',
    })
    expect(lastWrite().path).toContain(`accounts(accountid=${id})`)
    expect(lastWrite().body).toBe('{"name":"A"}')
    expect(await subject.destination.check()).toBeUndefined()
  })
})

describe('a lookup', () => {
  const contact = (account: string | null) => ({ lastname: 'Doe', parentcustomerid_account: account })

  it('is bound by the other row’s key, cleared by null, and read back as that key', async () => {
    await subject.apply(ACCOUNTS, fullPatch("O'B", 1, ACME))
    expect(await subject.apply(CONTACTS, fullPatch('c', 1, contact("O'B")))).toMatchObject({ kind: 'applied' })
    expect(lastWrite().body).toBe(`{"lastname":"Doe","parentcustomerid_account@odata.bind":"/accounts(erp_id='O''B')"}`)
    const read = () => subject.destination.read!(CONTACTS, 'c', new AbortController().signal)
    expect(await read()).toEqual(contact("O'B"))
    await subject.apply(CONTACTS, partialPatch('c', 2, { parentcustomerid_account: null }))
    expect(lastWrite().body).toBe('{"parentcustomerid_account@odata.bind":null}')
    expect(await read()).toEqual(contact(null))
  })

  it('to a row that is not there yet: blocked by its entity set, and goes on when it is', async () => {
    const blocked = { kind: 'blocked', by: 'accounts', code: 'reference-missing' }
    expect(await subject.apply(CONTACTS, fullPatch('c', 1, contact('late')))).toMatchObject(blocked)
    await subject.apply(CONTACTS, fullPatch('c', 1, contact(null)))
    expect(await subject.apply(CONTACTS, fullPatch('c', 2, contact('late')))).toMatchObject(blocked)
    const absent = partialPatch('none', 2, { parentcustomerid_account: 'late' })
    expect(await subject.apply(CONTACTS, absent)).toEqual({ kind: 'absent' })
    await subject.apply(ACCOUNTS, fullPatch('late', 1, ACME))
    expect(await subject.apply(CONTACTS, fullPatch('c', 2, contact('late')))).toMatchObject({ kind: 'applied' })
  })

  it('of several: says which one is missing', async () => {
    const orders = mappingOf(
      'salesorders',
      ['erp_id'],
      { name: 'string', customerid_account: 'string', billingcontact_contact: 'string' },
      {
        lookups: {
          customerid_account: { target: 'accounts', keyField: 'erp_id' },
          billingcontact_contact: { target: 'contacts', keyField: 'erp_id' },
        },
      },
    )
    await subject.apply(ACCOUNTS, fullPatch('a', 1, ACME))
    const fields = { name: 'O', customerid_account: 'a', billingcontact_contact: 'c' }
    expect(await subject.apply(orders, fullPatch('o', 1, fields))).toMatchObject({ kind: 'blocked', by: 'contacts' })
  })
})

describe('a refusal', () => {
  it('of a value is the record’s: rejected with Dataverse’s code, and without any value of the record', async () => {
    const outcome = await subject.apply(ACCOUNTS, fullPatch('1', 1, { name: 'canary'.repeat(100) }))
    expect(outcome).toMatchObject({ kind: 'rejected', code: '0x80044331' })
    expect(JSON.stringify(outcome)).not.toContain('canary')
    const choice = await subject.apply(ACCOUNTS, fullPatch('1', 1, { industrycode: 77n }))
    expect(choice).toMatchObject({ kind: 'rejected', code: '0x8004431a' })
  })

  it('of a value that OData has no form for is found before anything is sent', async () => {
    const mapping = mappingOf('accounts', ['erp_id'], { erp_score: 'double' })
    expect(await subject.apply(mapping, fullPatch('1', 1, { erp_score: Number.NaN }))).toMatchObject({
      kind: 'rejected',
      code: 'value-out-of-range',
    })
    expect(subject.sandbox.requests).toEqual([])
  })

  it('of one record alone leaves the others be', async () => {
    await subject.sandbox.misbehave({ rejectKeys: ['bad'] })
    expect(await subject.apply(ACCOUNTS, fullPatch('bad', 1, ACME))).toMatchObject({
      kind: 'rejected',
      code: '0x80040265',
    })
    expect(await subject.apply(ACCOUNTS, fullPatch('good', 1, ACME))).toMatchObject({ kind: 'applied' })
  })

  it('because a unique value is held by another row: blocked, and goes on when that row lets go', async () => {
    await subject.apply(ACCOUNTS, fullPatch('1', 1, { accountnumber: 'X' }))
    const wants = fullPatch('2', 1, { accountnumber: 'X' })
    expect(await subject.apply(ACCOUNTS, wants)).toMatchObject({ kind: 'blocked', code: 'duplicate' })
    await subject.apply(ACCOUNTS, fullPatch('2', 1, { accountnumber: null }))
    expect(await subject.apply(ACCOUNTS, wants)).toMatchObject({ kind: 'blocked', code: 'duplicate' })
    await subject.apply(ACCOUNTS, partialPatch('1', 2, { accountnumber: null }))
    expect(await subject.apply(ACCOUNTS, wants)).toMatchObject({ kind: 'applied' })
  })

  it('of a property that nobody has is not the record’s fault: unavailable', async () => {
    const mapping = mappingOf('accounts', ['erp_id'], { nickname: 'string' })
    expect(await subject.apply(mapping, fullPatch('1', 1, { nickname: 'A' }))).toMatchObject({
      kind: 'unavailable',
      error: { code: 'destination-unsuitable' },
    })
  })

  it('of an entity set that is not there is no missing row: unavailable', async () => {
    const mapping = mappingOf('account', ['erp_id'], { name: 'string' })
    expect(await subject.apply(mapping, partialPatch('1', 1, { name: 'A' }))).toMatchObject({ kind: 'unavailable' })
  })
})

describe('misbehaviour', () => {
  it('429: throttled for the time of Retry-After, and nothing more is sent before', async () => {
    await subject.sandbox.misbehave({ throttle: { retryAfterSeconds: 30 } })
    const first = await subject.apply(ACCOUNTS, fullPatch('1', 1, ACME))
    expect(first).toEqual({ kind: 'throttled', afterMs: 30_000 })
    const sent = subject.sandbox.requests.length
    const second = await subject.apply(ACCOUNTS, fullPatch('2', 1, ACME))
    expect(second).toMatchObject({ kind: 'throttled', afterMs: expect.any(Number) })
    expect(subject.sandbox.requests).toHaveLength(sent)
    expect(subject.destination.budget!()).toMatchObject({ left: 0, requestsMax: 52 })
  })

  it('401: a new token once, and the change is applied', async () => {
    await tagAfter(fullPatch('1', 1, ACME))
    await subject.sandbox.misbehave({ expireTokens: true })
    await tagAfter(fullPatch('2', 1, ACME))
  })

  it('401 after a new token, 403: unavailable', async () => {
    for (const status of [401, 403]) {
      await subject.sandbox.misbehave({ status })
      expect(await subject.apply(ACCOUNTS, fullPatch('1', 1, ACME))).toMatchObject({ kind: 'unavailable' })
    }
  })

  it('500, 502, 503, 504 of a write: unknown; of the question before it: unavailable', async () => {
    for (const status of [500, 502, 503, 504]) {
      await subject.sandbox.misbehave({ status, methods: ['PATCH'] })
      expect(await subject.apply(ACCOUNTS, fullPatch('1', 1, ACME))).toMatchObject({ kind: 'unknown' })
      await subject.sandbox.misbehave({ status, methods: ['GET'] })
      expect(await subject.apply(ACCOUNTS, fullPatch('1', 1, ACME))).toMatchObject({ kind: 'unavailable' })
    }
  })

  it('a reset, before or after it was applied: unknown, and the same change again ends well', async () => {
    for (const reset of ['before', 'after'] as const) {
      await subject.sandbox.misbehave({ reset, methods: ['PATCH'] })
      expect(await subject.apply(ACCOUNTS, fullPatch(reset, 1, ACME))).toMatchObject({ kind: 'unknown' })
      await subject.sandbox.misbehave({})
      await tagAfter(fullPatch(reset, 1, ACME))
    }
    expect(subject.sandbox.objects('accounts')).toHaveLength(2)
  })

  it('no answer in time: unknown', async () => {
    const impatient = createDataverse({ ...optionsFor(subject.sandbox), timeoutMs: 200, mappings: [ACCOUNTS] })
    await subject.sandbox.misbehave({ hang: 'after', methods: ['PATCH'] })
    const [outcome] = await impatient.apply(ACCOUNTS, [fullPatch('1', 1, ACME)], new AbortController().signal)
    expect(outcome).toMatchObject({ kind: 'unknown' })
    await impatient.close()
  })

  it('down: unavailable, and good again when it is back', async () => {
    await tagAfter(fullPatch('1', 1, ACME))
    await subject.sandbox.misbehave({ down: true })
    expect(await subject.apply(ACCOUNTS, fullPatch('1', 2, ACME))).toMatchObject({ kind: 'unavailable' })
    await subject.sandbox.misbehave({})
    await tagAfter(fullPatch('1', 2, ACME))
  })

  it('credentials that are refused: unavailable, and check() says why without the secret', async () => {
    const secret = 'canary-secret'
    const stranger = createDataverse({ ...optionsFor(subject.sandbox), clientSecret: secret, mappings: [ACCOUNTS] })
    const [outcome] = await stranger.apply(ACCOUNTS, [fullPatch('1', 1, ACME)], new AbortController().signal)
    expect(outcome).toMatchObject({ kind: 'unavailable', error: { code: 'destination-unsuitable' } })
    const refused = await stranger.check().catch((error: unknown) => error)
    expect(refused).toMatchObject({
      code: 'destination-unsuitable',
      message: expect.stringContaining('invalid_client'),
    })
    expect(String(refused)).not.toContain(secret)
    await stranger.close()
  })
})

describe('deletes', () => {
  it('that are soft deactivate the row, and a later full change makes it active again', async () => {
    const soft = { ...ACCOUNTS, onDelete: 'soft' as const }
    await subject.apply(soft, fullPatch('1', 1, ACME))
    expect(await subject.apply(soft, removal('1', 2))).toMatchObject({ kind: 'applied', tag: expect.any(String) })
    expect(lastWrite()).toMatchObject({ method: 'PATCH', body: '{"statecode":1,"statuscode":2}' })
    expect(await subject.apply(soft, removal('1', 3))).toEqual({ kind: 'unchanged' })
    expect(await subject.apply(soft, partialPatch('1', 3, { name: 'B' }))).toEqual({ kind: 'absent' })
    await subject.apply(soft, fullPatch('1', 4, ACME))
    expect(lastWrite().body).toContain('"statecode":0,"statuscode":1')
  })

  it('that are hard carry the known ETag', async () => {
    const tag = await tagAfter(fullPatch('1', 1, ACME))
    expect(await subject.apply(ACCOUNTS, { ...removal('1', 2), tag })).toEqual({ kind: 'applied' })
    expect(lastWrite()).toMatchObject({ method: 'DELETE', path: `/api/data/v9.2/accounts(erp_id='1')` })
    expect(lastWrite().headers['if-match']).toBe(tag)
  })
})

it('lists the keys that it holds, page after page', async () => {
  await Promise.all(
    Array.from({ length: 1005 }, (_, at) => subject.apply(ACCOUNTS, fullPatch(`k${at}`, 1, { name: 'A' }))),
  )
  const keys: string[] = []
  for await (const page of subject.destination.keys!(ACCOUNTS, new AbortController().signal)) keys.push(...page)
  expect(new Set(keys)).toEqual(new Set(Array.from({ length: 1005 }, (_, at) => `k${at}`)))
})

it('lists no keys of rows that it did not make: those without an alternate key, and all where the primary key is the key', async () => {
  const theirs = mappingOf('accounts', ['accountid'], { name: 'string', accountid: 'uuid' })
  const byId = createDataverse({ ...optionsFor(subject.sandbox), mappings: [theirs] })
  expect(byId.keys).toBeUndefined()
  const id = '0a1b2c3d-0000-4000-8000-00000000000a'
  expect(
    await byId.apply(theirs, [fullPatch(id, 1, { name: 'A', accountid: id })], new AbortController().signal),
  ).toMatchObject([{ kind: 'applied' }])
  await subject.apply(ACCOUNTS, fullPatch('ours', 1, { name: 'A' }))
  const keys: string[] = []
  for await (const page of subject.destination.keys!(ACCOUNTS, new AbortController().signal)) keys.push(...page)
  expect(keys).toEqual(['ours'])
  await byId.close()
})

it('forgets what was deleted where it compares ETags: a create that comes late is not refused', () => {
  expect(subject.destination).toMatchObject({ comparesVersions: true, forgetsDeletes: true })
})

it('previews a request without asking anything, and without the token', () => {
  const patch = { ...partialPatch('1', 1, { name: 'B' }), tag: 'W/"7"' }
  expect(subject.destination.preview!(ACCOUNTS, patch)).toEqual({
    request: `PATCH ${subject.sandbox.url}/api/data/v9.2/accounts(erp_id='1')?$select=erp_id`,
    headers: expect.objectContaining({ authorization: 'Bearer …', 'if-match': 'W/"7"' }),
    body: '{"name":"B"}',
  })
  expect(subject.sandbox.requests).toEqual([])
})
