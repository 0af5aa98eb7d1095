import { describe, expect, onTestFinished, test } from 'vitest'
import {
  SANDBOX_CLIENT,
  type SalesforceSandboxOptions,
  startSalesforceSandbox,
} from '../../../connectors/salesforce/sandbox.ts'
import { tokenFor } from './token.ts'

// What Salesforce's documentation promises; each title names the page, of "REST API Developer Guide" where no other is named. What is marked
// (known) is what clients report of the system, without a page.

async function started(options: SalesforceSandboxOptions = {}) {
  const sandbox = await startSalesforceSandbox(options)
  onTestFinished(() => sandbox.close())
  const token = await tokenFor(sandbox.url)
  const send = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const answer = await fetch(`${sandbox.url}/services/data/v66.0${path}`, {
      method,
      redirect: 'manual',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await answer.text()
    return {
      status: answer.status,
      headers: answer.headers,
      text,
      body: (text === '' ? null : JSON.parse(text)) as never as Record<string, unknown> & Record<string, unknown>[],
    }
  }
  const account = (value: string, fields: Record<string, unknown> = {}) => ({
    attributes: { type: 'Account' },
    Ext_Id__c: value,
    Name: value,
    ...fields,
  })
  const upsert = (...records: readonly unknown[]) =>
    send('PATCH', '/composite/sobjects/Account/Ext_Id__c', { allOrNone: false, records })
  /** The status code of the one record that is upserted with these fields, and what was kept. */
  const kept = async (fields: Record<string, unknown>) => {
    const { body } = await upsert(account('kept', fields))
    const [result] = body as unknown as { success?: boolean; errorCode?: string; errors?: { statusCode: string }[] }[]
    if (result?.success) return (await send('GET', '/sobjects/Account/Ext_Id__c/kept')).body
    return result?.errorCode ?? result?.errors?.[0]?.statusCode
  }
  return { sandbox, send, account, upsert, kept }
}

describe('"OAuth 2.0 Client Credentials Flow" (Salesforce Help)', () => {
  test('gives a token with instance_url and without expires_in; wrong credentials are 400', async () => {
    const { sandbox } = await started()
    const ask = async (form: Record<string, string>) => {
      const answer = await fetch(`${sandbox.url}/services/oauth2/token`, {
        method: 'POST',
        body: new URLSearchParams(form),
      })
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
    }
    const good = {
      grant_type: 'client_credentials',
      client_id: SANDBOX_CLIENT.clientId,
      client_secret: SANDBOX_CLIENT.clientSecret,
    }
    const { status, body } = await ask(good)
    expect(status).toBe(200)
    expect(body).toMatchObject({ instance_url: sandbox.url, token_type: 'Bearer' })
    expect(body).not.toHaveProperty('expires_in')
    expect(await ask({ ...good, client_secret: 'x' })).toMatchObject({ status: 400, body: { error: 'invalid_client' } })
    expect(await ask({ ...good, client_id: 'x' })).toMatchObject({ status: 400, body: { error: 'invalid_client_id' } })
    expect(await ask({ ...good, grant_type: 'password' })).toMatchObject({ status: 400 })
  })

  test('"Status Codes and Error Responses": a session that is over is 401 INVALID_SESSION_ID', async () => {
    const { sandbox, send } = await started()
    await sandbox.misbehave({ expireTokens: true })
    expect(await send('GET', '/sobjects/Account/describe')).toMatchObject({
      status: 401,
      body: [{ errorCode: 'INVALID_SESSION_ID' }],
    })
  })
})

describe('limits', () => {
  test('"Limit Info Header": every answer tells the calls; "Status Codes": none left is 403 REQUEST_LIMIT_EXCEEDED', async () => {
    const { sandbox, send } = await started({ callsMax: 5000 })
    sandbox.setCalls(17)
    expect((await send('GET', '/sobjects/Account/describe')).headers.get('sforce-limit-info')).toBe('api-usage=18/5000')
    sandbox.setCalls(5000)
    expect(await send('GET', '/sobjects/Account/describe')).toMatchObject({
      status: 403,
      body: [{ errorCode: 'REQUEST_LIMIT_EXCEEDED' }],
    })
  })

  test('"Status Codes": an address of more than 16,384 bytes is 414', async () => {
    const { send } = await started()
    // Node itself refuses a whole head of 16 KiB; spaces take three bytes in the address.
    expect((await send('GET', `/query?q=${'x'.repeat(15_000)}`)).status).toBe(400)
    expect([414, 431]).toContain((await send('GET', `/query?q=${'x'.repeat(16_400)}`)).status)
  })
})

describe('"Upsert Records Using sObject Rows by External ID"', () => {
  test('creates with 201, changes with 200, and with updateOnly never creates', async () => {
    const { send, sandbox } = await started()
    const at = '/sobjects/Account/Ext_Id__c/11999'
    expect(await send('PATCH', `${at}?updateOnly=true`, { Name: 'A' })).toMatchObject({
      status: 404,
      body: [{ errorCode: 'NOT_FOUND' }],
    })
    expect(sandbox.objects('Account')).toEqual([])
    expect(await send('PATCH', at, { Name: 'A' })).toMatchObject({
      status: 201,
      body: { success: true, created: true },
    })
    expect(await send('PATCH', `${at}?updateOnly=true`, { Name: 'B' })).toMatchObject({
      status: 200,
      body: { created: false },
    })
  })

  test('takes no id and no external id in the body', async () => {
    const { send } = await started()
    for (const name of ['Id', 'Ext_Id__c'])
      expect(await send('PATCH', '/sobjects/Account/Ext_Id__c/a', { Name: 'A', [name]: 'a' })).toMatchObject({
        status: 400,
        body: [{ errorCode: 'INVALID_FIELD' }],
      })
  })

  test('does not find what ends like a format', async () => {
    const { send, account, upsert } = await started()
    await upsert(account('mail@example.inc'))
    expect(
      (await send('PATCH', '/sobjects/Account/Ext_Id__c/mail@example.inc?updateOnly=true', { Name: 'A' })).status,
    ).toBe(404)
  })

  test('answers 300 with the list where several match, and changes none', async () => {
    const { send, upsert, sandbox } = await started({
      objects: [
        {
          name: 'Account',
          prefix: '001',
          fields: [
            { name: 'Ext_Id__c', type: 'string', externalId: true },
            { name: 'Name', type: 'string' },
          ],
        },
      ],
    })
    const attributes = { type: 'Account' }
    await send('POST', '/composite/sobjects', {
      records: [1, 2].map(() => ({ attributes, Ext_Id__c: 'a', Name: 'A' })),
    })
    const several = await send('PATCH', '/sobjects/Account/Ext_Id__c/a', { Name: 'B' })
    expect(several.status).toBe(300)
    expect(several.body).toHaveLength(2)
    expect((await upsert({ attributes, Ext_Id__c: 'a', Name: 'B' })).body).toMatchObject([
      { success: false, errors: [{ statusCode: 'DUPLICATE_EXTERNAL_ID' }] },
    ])
    expect(sandbox.objects('Account')).toMatchObject([{ Name: 'A' }, { Name: 'A' }])
  })
})

describe('"Upsert Records Using sObject Collections"', () => {
  test('answers 200 although records fail, one result a record, in order', async () => {
    const { account, upsert } = await started()
    const { status, body } = await upsert(account('a'), account('b', { Name: null }), account('c'))
    expect(status).toBe(200)
    expect(body.map(({ success }) => success)).toEqual([true, false, true])
  })

  test('takes 200 records and not one more, and all of the type in the address', async () => {
    const { account, upsert } = await started()
    const many = (count: number) => Array.from({ length: count }, (_, at) => account(`k-${at}`))
    expect((await upsert(...many(200))).status).toBe(200)
    expect(await upsert(...many(201))).toMatchObject({ status: 400, body: [{ errorCode: 'EXCEEDED_ID_LIMIT' }] })
    expect((await upsert({ ...account('x'), attributes: { type: 'Contact' } })).status).toBe(400)
    expect((await upsert({ Ext_Id__c: 'x', Name: 'X' })).status).toBe(400)
  })

  test('takes no record ids, and only external ids in the address', async () => {
    const { account, upsert, send } = await started()
    expect((await upsert({ ...account('a'), id: '001SB0000000001AAA' })).status).toBe(400)
    expect((await send('PATCH', '/composite/sobjects/Account/Name', { records: [] })).status).toBe(404)
  })

  test('refuses the whole request for a field that is not there, or a value it cannot read', async () => {
    const { account, upsert, sandbox } = await started()
    expect(await upsert(account('a'), account('b', { Nothing__c: 1 }))).toMatchObject({
      status: 400,
      body: [{ errorCode: 'INVALID_FIELD' }],
    })
    expect(await upsert(account('a'), account('b', { Active__c: 'yes' }))).toMatchObject({
      status: 400,
      body: [{ errorCode: 'JSON_PARSER_ERROR' }],
    })
    expect(sandbox.objects('Account')).toEqual([])
  })

  test('"Working with Nested Relationships": refers by external id; a missing one fails its record alone', async () => {
    const { account, upsert } = await started()
    const { body } = await upsert(account('p'), account('d', { Parent: { Ext_Id__c: 'x' } }))
    expect(body).toMatchObject([
      { success: true },
      {
        success: false,
        errors: [{ statusCode: 'INVALID_FIELD', message: expect.stringContaining('Foreign key external ID') }],
      },
    ])
    expect((await upsert(account('d', { Parent: { Ext_Id__c: 'p' } }))).body).toMatchObject([{ success: true }])
  })
})

test('"Update Records Using sObject Collections" and "Delete": by id; one that is gone fails alone', async () => {
  const { account, upsert, send } = await started()
  const made = (await upsert(account('a'), account('b'))).body as unknown as { id: string }[]
  const [a, b] = made.map(({ id }) => id)
  expect((await send('DELETE', `/composite/sobjects?ids=${a}&allOrNone=false`)).body).toMatchObject([{ success: true }])
  const attributes = { type: 'Account' }
  const { body } = await send('PATCH', '/composite/sobjects', {
    records: [
      { attributes, id: a, Name: 'A2' },
      { attributes, id: b, Name: 'B2' },
      { attributes, id: '001SB0000099999AAA', Name: 'C' },
    ],
  })
  expect(body).toMatchObject([
    { success: false, errors: [{ statusCode: 'ENTITY_IS_DELETED' }] },
    { success: true },
    { success: false, errors: [{ statusCode: 'INVALID_CROSS_REFERENCE_KEY' }] },
  ])
})

describe('fields', () => {
  test.each([
    [
      '"Valid Date and DateTime Formats"',
      { Seen__c: '2026-11-22T12:00:00+02:00' },
      { Seen__c: '2026-11-22T10:00:00.000+0000' },
    ],
    ['"Valid Date and DateTime Formats"', { Seen__c: '2026-11-22 10:00:00' }, 'JSON_PARSER_ERROR'],
    ['"Valid Date and DateTime Formats"', { Since__c: '22.11.2026' }, 'JSON_PARSER_ERROR'],
    ['"Primitive Data Types" (SOAP API)', { Since__c: '1699-12-31' }, 'NUMBER_OUTSIDE_VALID_RANGE'],
    ['"AllowFieldTruncationHeader" (SOAP API)', { BillingCity: 'x'.repeat(41) }, 'STRING_TOO_LONG'],
    ['"StatusCode" (SOAP API)', { Email__c: 'no address' }, 'INVALID_EMAIL_ADDRESS'],
    ['"StatusCode" (SOAP API)', { Status__c: 'odd' }, 'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST'],
    ['"StatusCode" (SOAP API)', { Points__c: 1e18 }, 'NUMBER_OUTSIDE_VALID_RANGE'],
    ['"StatusCode" (SOAP API)', { Score__c: 1 }, 'INVALID_FIELD_FOR_INSERT_UPDATE'],
    ['"Field Types" (Object Reference), multi-select', { Tags__c: 'blue;red' }, { Tags__c: 'red;blue' }],
    [
      '"Field Types" (Object Reference), multi-select',
      { Tags__c: 'blue;odd' },
      'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST',
    ],
    ['(known) a checkbox is never null', { Active__c: null }, 'INVALID_TYPE_ON_FIELD_IN_RECORD'],
    ['"Primitive Data Types" (Apex Developer Guide): texts are trimmed', { Phone: ' 1 ' }, { Phone: '1' }],
    ['"Primitive Data Types" (Apex Developer Guide): an empty text is null', { Phone: '' }, { Phone: null }],
    ['(known) decimals beyond the scale are rounded', { Balance__c: 1.00005 }, { Balance__c: 1.0001 }],
  ] as const)('%s: %j gives %j', async (_, fields, result) => {
    const { kept } = await started()
    const found = await kept(fields)
    if (typeof result === 'string') expect(found).toBe(result)
    else expect(found).toMatchObject(result)
  })

  test('digits of a number are kept, in and out', async () => {
    const { send } = await started()
    await send('PATCH', '/sobjects/Account/Ext_Id__c/a', '{"Name":"A","Points__c":999999999999999999}')
    expect((await send('GET', '/sobjects/Account/Ext_Id__c/a')).text).toContain('"Points__c":999999999999999999')
  })

  test('"Custom Field Attributes" (Help): a unique text that tells case holds two, one that does not meets itself', async () => {
    const { account, upsert } = await started()
    expect((await upsert(account('a', { Tax_Id__c: 'T' }), account('A', { Tax_Id__c: 't' }))).body).toMatchObject([
      { success: true },
      { success: true },
    ])
    expect((await upsert(account('b', { Tax_Id__c: 'T' }))).body).toMatchObject([
      { errors: [{ statusCode: 'DUPLICATE_VALUE' }] },
    ])
  })
})

describe('SOQL', () => {
  test('"Quoted String Escape Sequences" and "Query", page by page', async () => {
    const { account, upsert, send } = await started({ pageMax: 2 })
    const odd = ["o'neil", 'back\\slash', 'line\nbreak', 'é']
    await upsert(...odd.map((key) => account(key)))
    const list = odd.map((key) => `'${key.replace(/['\\]/g, '\\$&').replace('\n', '\\n').replace('é', '\\u00E9')}'`)
    const soql = `SELECT Ext_Id__c FROM Account WHERE Ext_Id__c IN (${list})`
    const first = (await send('GET', `/query?q=${encodeURIComponent(soql)}`)).body
    expect(first).toMatchObject({ totalSize: 4, done: false })
    const next = String(first.nextRecordsUrl).replace('/services/data/v66.0', '')
    const second = (await send('GET', next)).body
    expect(second).toMatchObject({ done: true })
    const found = [first, second].flatMap(({ records }) => records as { Ext_Id__c: string }[])
    expect(found.map(({ Ext_Id__c }) => Ext_Id__c)).toEqual(odd)
  })

  test('"ExceptionCode" (SOAP API): what it does not understand is MALFORMED_QUERY', async () => {
    const { send } = await started()
    for (const soql of [
      '',
      'SELECT',
      "SELECT Id FROM Account WHERE Name = 'a' OR 1",
      "SELECT Id FROM Account WHERE Name = 'a",
    ])
      expect(await send('GET', `/query?q=${encodeURIComponent(soql)}`)).toMatchObject({
        body: [{ errorCode: 'MALFORMED_QUERY' }],
      })
  })
})
