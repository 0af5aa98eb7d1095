import { describe, expect, test } from 'vitest'
import { fullPatch, partialPatch, removal } from '../../contract/destination-contract.ts'
import { ACCOUNTS, startSubject } from './salesforce-sandbox.ts'

const keys = (count: number, from = 0) => Array.from({ length: count }, (_, at) => `k-${from + at}`)

describe('patches travel', () => {
  test('full ones as one collection of 200', async () => {
    const { apply, sent, sandbox } = await startSubject()
    const outcomes = await apply(ACCOUNTS, ...keys(200).map((key) => fullPatch(key, 1, { Name: key })))
    expect(outcomes).toEqual(Array(200).fill({ kind: 'applied' }))
    expect(sent()).toEqual(['PATCH /composite/sobjects/Account/Ext_Id__c'])
    expect(sandbox.objects('Account')).toHaveLength(200)
  })

  test('up to two partial ones as single updates, more as one query and one collection by ids: 2 calls for 200', async () => {
    const { apply, sent, sandbox } = await startSubject()
    await apply(ACCOUNTS, ...keys(200).map((key) => fullPatch(key, 1, { Name: key })))
    sandbox.forgetRequests()
    await apply(ACCOUNTS, ...keys(2).map((key) => partialPatch(key, 2, { Phone: '2' })))
    expect(sent()).toEqual(['PATCH /sobjects/Account/Ext_Id__c/k-0', 'PATCH /sobjects/Account/Ext_Id__c/k-1'])
    expect(sandbox.requests.every(({ path }) => path.endsWith('?updateOnly=true'))).toBe(true)
    sandbox.forgetRequests()
    const outcomes = await apply(ACCOUNTS, ...keys(200).map((key) => partialPatch(key, 3, { Phone: '3' })))
    expect(outcomes).toEqual(Array(200).fill({ kind: 'applied' }))
    expect(sent()).toEqual(['GET /query', 'PATCH /composite/sobjects'])
  })

  test('partial ones without making anything, by ids too', async () => {
    const { apply, sandbox } = await startSubject()
    await apply(ACCOUNTS, fullPatch('k-1', 1, { Name: 'one' }))
    const outcomes = await apply(ACCOUNTS, ...keys(4).map((key) => partialPatch(key, 2, { Phone: '2' })))
    expect(outcomes.map(({ kind }) => kind)).toEqual(['absent', 'applied', 'absent', 'absent'])
    expect(sandbox.objects('Account')).toHaveLength(1)
  })

  test('an object that goes between the query and the update is absent, and its delete is done', async () => {
    const { apply, sandbox } = await startSubject()
    await apply(ACCOUNTS, ...keys(4).map((key) => fullPatch(key, 1, { Name: key })))
    const gone = { statusCode: 'ENTITY_IS_DELETED', message: 'entity is deleted', fields: [] }
    sandbox.failKey('k-1', gone)
    sandbox.failKey('k-3', gone)
    sandbox.failKey('k-2', {
      statusCode: 'INVALID_CROSS_REFERENCE_KEY',
      message: 'invalid cross reference id',
      fields: [],
    })
    const outcomes = await apply(
      ACCOUNTS,
      ...keys(3).map((key) => partialPatch(key, 2, { Phone: '2' })),
      removal('k-3', 2),
    )
    expect(outcomes.map(({ kind }) => kind)).toEqual(['applied', 'absent', 'absent', 'applied'])
  })

  test('deletes as one query and one request, however many', async () => {
    const { apply, sent, sandbox } = await startSubject()
    await apply(ACCOUNTS, ...keys(150).map((key) => fullPatch(key, 1, { Name: key })))
    sandbox.forgetRequests()
    const outcomes = await apply(ACCOUNTS, ...keys(200).map((key) => removal(key, 2)))
    expect(outcomes).toEqual(Array(200).fill({ kind: 'applied' }))
    expect(sent()).toEqual(['GET /query', 'DELETE /composite/sobjects'])
    expect(sandbox.objects('Account')).toEqual([])
  })

  test('keys that a path could read otherwise never stand in one', async () => {
    const odd = ['a/b', '..', 'mail@example.inc', 'x.json', 'ü ß', "o'neil\\", '100%', 'a\nb', 'a?b#c', '日本', '"']
    const { apply, sandbox, held } = await startSubject()
    await apply(ACCOUNTS, ...odd.map((key) => fullPatch(key, 1, { Name: 'N', Phone: '1' })))
    for (const key of odd) {
      expect(await apply(ACCOUNTS, partialPatch(key, 2, { Phone: '2' }))).toEqual([{ kind: 'applied' }])
      expect(held('Account', key)).toMatchObject({ Phone: '2' })
    }
    expect(sandbox.requests.some(({ path }) => path.includes('/sobjects/Account/Ext_Id__c/'))).toBe(false)
    expect(await apply(ACCOUNTS, ...odd.map((key) => removal(key, 3)))).toEqual(odd.map(() => ({ kind: 'applied' })))
    expect(sandbox.objects('Account')).toEqual([])
  })

  test('long keys in as many queries as an address may hold', async () => {
    const long = keys(200).map((key) => key.padEnd(250, '/'))
    const { apply, sandbox } = await startSubject()
    await apply(ACCOUNTS, ...long.map((key) => fullPatch(key, 1, { Name: 'N' })))
    sandbox.forgetRequests()
    const outcomes = await apply(ACCOUNTS, ...long.map((key) => partialPatch(key, 2, { Phone: '2' })))
    expect(outcomes).toEqual(Array(200).fill({ kind: 'applied' }))
    const queries = sandbox.requests.filter(({ method }) => method === 'GET')
    expect(queries.length).toBeGreaterThan(1)
    expect(queries.every(({ path }) => path.length < 10_000)).toBe(true)
  })
})

describe('a session', () => {
  test('asks for one token however many wait, and sends the client id for the origin', async () => {
    const { apply, sandbox } = await startSubject()
    await Promise.all(keys(10).map((key) => apply(ACCOUNTS, fullPatch(key, 1, { Name: key }))))
    const tokens = sandbox.requests.filter(({ path }) => path === '/services/oauth2/token')
    const writes = sandbox.requests.filter(({ method }) => method === 'PATCH')
    expect(tokens).toHaveLength(1)
    expect(writes.map(({ headers }) => headers['sforce-call-options'])).toEqual(Array(10).fill('client=tributary/crm'))
  })

  test('renews a token that is refused, once for all', async () => {
    const { apply, sandbox, held } = await startSubject()
    await apply(ACCOUNTS, fullPatch('k-0', 1, { Name: 'N' }))
    sandbox.forgetRequests()
    await sandbox.misbehave({ expireTokens: true })
    const outcomes = await Promise.all(keys(4).map((key) => apply(ACCOUNTS, fullPatch(key, 2, { Name: 'N2' }))))
    expect(outcomes.flat()).toEqual(Array(4).fill({ kind: 'applied' }))
    expect(sandbox.requests.filter(({ path }) => path === '/services/oauth2/token')).toHaveLength(1)
    expect(held('Account', 'k-0')).toMatchObject({ Name: 'N2' })
  })

  test('is unavailable where the new token is refused too, and where the secret is wrong; neither tells it', async () => {
    const first = await startSubject()
    await first.sandbox.misbehave({ status: 401 })
    expect(await first.apply(ACCOUNTS, fullPatch('a', 1, { Name: 'A' }))).toMatchObject([
      { kind: 'unavailable', error: { code: 'destination-unsuitable' } },
    ])
    expect(first.sandbox.requests.filter(({ method }) => method === 'PATCH')).toHaveLength(2)
    const second = await startSubject({ clientSecret: 'wrong-canary' })
    const [outcome] = await second.apply(ACCOUNTS, fullPatch('a', 1, { Name: 'A' }))
    expect(outcome).toMatchObject({ kind: 'unavailable', error: { code: 'destination-unsuitable' } })
    expect(String((outcome as { error: Error }).error.stack)).not.toContain('wrong-canary')
    await expect(second.destination.check()).rejects.toMatchObject({ code: 'destination-unsuitable' })
  })

  test('does not go to an address that is closed to it', async () => {
    const { apply } = await startSubject({ allowAddresses: [] })
    expect(await apply(ACCOUNTS, fullPatch('a', 1, { Name: 'A' }))).toMatchObject([{ kind: 'unavailable' }])
  })

  test('knows what is left of its calls, and that none are', async () => {
    const { apply, destination, sandbox } = await startSubject({}, { callsMax: 5000 })
    expect(destination.budget!()).toBeNull()
    sandbox.setCalls(3999)
    await apply(ACCOUNTS, fullPatch('a', 1, { Name: 'A' }))
    expect(destination.budget!()?.left).toBeCloseTo(0.2, 3)
    sandbox.setCalls(5000)
    expect(await apply(ACCOUNTS, fullPatch('a', 2, { Name: 'A' }))).toEqual([{ kind: 'throttled', afterMs: 60_000 }])
    expect(destination.budget!()?.left).toBeLessThan(0.001)
  })
})

test('a preview shows the requests, without the token', async () => {
  const { destination, sandbox } = await startSubject()
  const preview = (patch: Parameters<NonNullable<typeof destination.preview>>[1]) =>
    destination.preview!(ACCOUNTS, patch)
  const headers = {
    accept: 'application/json',
    authorization: 'Bearer …',
    'content-type': 'application/json; charset=UTF-8',
    'sforce-call-options': 'client=tributary/crm',
  }
  expect(preview(fullPatch('a', 1, { Name: 'A', Phone: null, Balance__c: '1.5000' }))).toEqual({
    request: `PATCH ${sandbox.url}/services/data/v66.0/composite/sobjects/Account/Ext_Id__c`,
    headers,
    body: '{"allOrNone":false,"records":[{"attributes":{"type":"Account"},"Ext_Id__c":"a","Name":"A","Phone":null,"Balance__c":1.5000}]}',
  })
  expect(preview(partialPatch('a', 1, { Name: 'A' }))).toEqual({
    request: `PATCH ${sandbox.url}/services/data/v66.0/sobjects/Account/Ext_Id__c/a?updateOnly=true`,
    headers,
    body: '{"Name":"A"}',
  })
  expect(preview(partialPatch('a/b', 1, { Name: 'A' })).body).toContain('"id":"{id}"')
  expect(preview(removal('a', 1)).request).toBe(
    `DELETE ${sandbox.url}/services/data/v66.0/composite/sobjects?ids={id}&allOrNone=false`,
  )
  expect(sandbox.requests).toEqual([])
})

test('its keys are all told, some at a time', async () => {
  const { apply, destination } = await startSubject({}, { pageMax: 3 })
  await apply(ACCOUNTS, ...keys(8).map((key) => fullPatch(key, 1, { Name: key })))
  const pages: (readonly string[])[] = []
  for await (const page of destination.keys!(ACCOUNTS, new AbortController().signal)) pages.push(page)
  expect(pages.map((page) => page.length)).toEqual([3, 3, 2])
  expect(pages.flat().sort()).toEqual(keys(8))
})
