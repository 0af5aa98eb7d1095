import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDataverseSandbox } from '../../../connectors/dataverse/sandbox.ts'
import type { Sandbox } from '../../../connectors/http/sandbox-server.ts'
import { SANDBOX_CLIENT } from '../../../connectors/odata/sandbox-rules.ts'
import { CONTOSO } from './subject.ts'

// What the vendor's documentation promises, each rule with the page that says it. Requests are made by hand.

let sandbox: Sandbox
let token = ''
beforeAll(async () => {
  sandbox = await startDataverseSandbox()
  token = await newToken(sandbox)
})
afterAll(async () => {
  await sandbox.close()
})

async function newToken({ url }: Sandbox, form: Readonly<Record<string, string>> = {}): Promise<string> {
  const answer = await fetch(`${url}/${CONTOSO}`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: SANDBOX_CLIENT.clientId,
      client_secret: SANDBOX_CLIENT.clientSecret,
      scope: `${url}/.default`,
      ...form,
    }),
  })
  const body = (await answer.json()) as { access_token?: string; error?: string }
  return body.access_token ?? body.error!
}

async function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const answer = await fetch(`${sandbox.url}/api/data/v9.2/${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  const json = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> & { error?: { code: string } }
  return { status: answer.status, headers: answer.headers, json, code: json.error?.code }
}

let keys = 0
const newKey = () => `accounts(erp_id='s${++keys}')`

describe('the sandbox of Dataverse', () => {
  it('gives tokens for its own scope and secret only (Microsoft identity platform, client credentials flow)', async () => {
    expect(await newToken(sandbox, { client_secret: 'wrong' })).toBe('invalid_client')
    expect(await newToken(sandbox, { scope: 'https://other/.default' })).toBe('invalid_scope')
    expect((await send('GET', 'accounts', undefined, { authorization: 'Bearer none' })).status).toBe(401)
  })

  it('makes and changes a row by PATCH, 204 both times (Upsert a table row)', async () => {
    const key = newKey()
    const made = await send('PATCH', key, { name: 'A' })
    expect(made.status).toBe(204)
    expect(made.headers.get('odata-entityid')).toMatch(/accounts\([0-9a-f-]{36}\)$/)
    expect((await send('PATCH', key, { telephone1: '1' })).status).toBe(204)
    expect((await send('GET', `${key}?$select=name,telephone1`)).json).toMatchObject({ name: 'A', telephone1: '1' })
  })

  it('answers 201 and 200 with the row where it is asked to (Update with data returned)', async () => {
    const key = newKey()
    const prefer = { prefer: 'return=representation' }
    const made = await send('PATCH', `${key}?$select=name`, { name: 'A' }, prefer)
    expect(made).toMatchObject({ status: 201, json: { name: 'A', '@odata.etag': expect.stringMatching(/^W\//) } })
    expect((await send('PATCH', `${key}?$select=name`, { name: 'B' }, prefer)).status).toBe(200)
  })

  it('does not make a row with If-Match: *, nor change one with If-None-Match: * (Limit upsert operations)', async () => {
    const key = newKey()
    expect((await send('PATCH', key, { name: 'A' }, { 'if-match': '*' })).status).toBe(404)
    expect((await send('PATCH', key, { name: 'A' }, { 'if-none-match': '*' })).status).toBe(204)
    expect((await send('PATCH', key, { name: 'B' }, { 'if-none-match': '*' })).status).toBe(412)
  })

  it('changes and deletes on the newest ETag only (Apply optimistic concurrency)', async () => {
    const key = newKey()
    await send('PATCH', key, { name: 'A' })
    const old = { 'if-match': String((await send('GET', key)).json['@odata.etag']) }
    expect((await send('PATCH', key, { name: 'B' }, old)).status).toBe(204)
    expect(await send('PATCH', key, { name: 'C' }, old)).toMatchObject({ status: 412, code: '0x80060882' })
    expect((await send('DELETE', key, undefined, old)).status).toBe(412)
    expect((await send('DELETE', key)).status).toBe(204)
    expect((await send('DELETE', key)).status).toBe(404)
  })

  it('compares no ETags of a table without optimistic concurrency (Conditional retrievals, limitations)', async () => {
    await send('PATCH', `erp_notes(erp_id='1')`, { erp_text: 'A' })
    const answer = await send('PATCH', `erp_notes(erp_id='1')`, { erp_text: 'B' }, { 'if-match': 'W/"1"' })
    expect(answer).toMatchObject({ status: 400, code: '0x8006088d' })
  })

  it('takes alternate keys that are defined and active only (Use an alternate key to reference a record)', async () => {
    expect((await send('GET', `accounts(name='A')`)).status).toBe(400)
    expect((await send('GET', `erp_notes(erp_text='A')`)).status).toBe(400)
    expect((await send('GET', 'accounts(erp_id=5)')).status).toBe(400)
  })

  it('finds nothing by a key with / < > * % & : \\ ? + in it (Work with alternate keys)', async () => {
    for (const character of '/<>*%&:\\?+')
      expect((await send('PATCH', `accounts(erp_id='${encodeURIComponent(`a${character}b`)}')`, {})).status).toBe(400)
  })

  it('wants the key in the address and not in the body (use of alternate keys in upserts)', async () => {
    expect((await send('PATCH', newKey(), { erp_id: 'x' })).status).toBe(400)
  })

  it('knows its properties and their types, to the letter (Troubleshoot Dataverse Web API client errors)', async () => {
    expect(await send('PATCH', newKey(), { Name: 'A' })).toMatchObject({ status: 400, code: '0x80048d19' })
    expect(await send('PATCH', newKey(), { name: 5 })).toMatchObject({ status: 400, code: '0x80048d19' })
    expect(await send('PATCH', newKey(), { numberofemployees: '5' })).toMatchObject({ status: 400 })
    expect(await send('GET', 'Account')).toMatchObject({ status: 404, code: '0x8006088a' })
    expect((await send('GET', 'accounts?$select=Name')).status).toBe(400)
  })

  it('refuses null where a column is required by the system (Basic update, note)', async () => {
    expect((await send('PATCH', newKey(), { creditonhold: null })).status).toBe(400)
  })

  it('sets a lookup by bind and clears it by null, and not as a property (Associate and disassociate)', async () => {
    await send('PATCH', `accounts(erp_id='to')`, { name: 'A' })
    const contact = `contacts(erp_id='c')`
    const bind = (to: string | null) => send('PATCH', contact, { 'parentcustomerid_account@odata.bind': to })
    expect((await bind(`/accounts(erp_id='to')`)).status).toBe(204)
    expect((await bind(`/accounts(erp_id='none')`)).status).toBe(404)
    const value = async () => (await send('GET', contact)).json._parentcustomerid_value
    expect(await value()).toMatch(/^[0-9a-f-]{36}$/)
    expect((await bind(null)).status).toBe(204)
    expect(await value()).toBeNull()
    expect((await send('PATCH', contact, { parentcustomerid: 'x' })).status).toBe(400)
  })

  it('lets one row hold a value of an alternate key (Work with alternate keys)', async () => {
    await send('PATCH', newKey(), { accountnumber: 'N1' })
    expect(await send('PATCH', newKey(), { accountnumber: 'N1' })).toMatchObject({ status: 412, code: '0x80060892' })
  })

  it('tells its columns, keys and relationships (Query table definitions)', async () => {
    const answer = await send('GET', `EntityDefinitions?$filter=EntitySetName eq 'contacts'`)
    expect(answer.json.value).toMatchObject([
      { LogicalName: 'contact', PrimaryIdAttribute: 'contactid', IsOptimisticConcurrencyEnabled: true },
    ])
  })
})

describe('service protection (Service protection API limits)', () => {
  it('refuses the request after the last of the window, with its code and the time to wait', async () => {
    const small = await startDataverseSandbox({ limits: { requests: 2 } })
    const authorization = `Bearer ${await newToken(small)}`
    const ask = () => fetch(`${small.url}/api/data/v9.2/accounts`, { headers: { authorization } })
    expect((await ask()).headers.get('x-ms-ratelimit-burst-remaining-xrm-requests')).toBe('1')
    await ask()
    const refused = await ask()
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await refused.json()).toMatchObject({ error: { code: '0x80072322' } })
    await small.close()
  })

  it('refuses more at once than it takes at once', async () => {
    const narrow = await startDataverseSandbox({ limits: { concurrent: 1 } })
    const authorization = `Bearer ${await newToken(narrow)}`
    const ask = () => fetch(`${narrow.url}/api/data/v9.2/accounts`, { headers: { authorization } })
    const codes = new Set<number>()
    // Whether two meet is the machine's matter: until they have.
    for (let round = 0; round < 1000 && !codes.has(429); round++)
      for (const { status } of await Promise.all(Array.from({ length: 16 }, ask))) codes.add(status)
    expect([...codes].sort()).toEqual([200, 429])
    await narrow.close()
  })
})
