import jsforce from 'jsforce'
import { expect, onTestFinished, test } from 'vitest'
import { startSalesforceSandbox } from '../../../connectors/salesforce/sandbox.ts'
import { tokenFor } from './token.ts'

// A client of somebody else, which knows the real system: what it understands of the sandbox is not our own misunderstanding.

async function connected() {
  const sandbox = await startSalesforceSandbox({ pageMax: 3 })
  onTestFinished(() => sandbox.close())
  const connection = new jsforce.Connection({
    instanceUrl: sandbox.url,
    accessToken: await tokenFor(sandbox.url),
    version: '66.0',
  })
  return { sandbox, connection }
}

test('jsforce upserts one record by its external id: created, then not', async () => {
  const { connection } = await connected()
  const made = await connection.sobject('Account').upsert({ Ext_Id__c: 'a', Name: 'A' }, 'Ext_Id__c')
  expect(made).toMatchObject({ success: true, created: true, errors: [] })
  const changed = await connection.sobject('Account').upsert({ Ext_Id__c: 'a', Phone: '1' }, 'Ext_Id__c')
  expect(changed).toMatchObject({ id: made.id, success: true, created: false })
  expect(await connection.sobject('Account').retrieve(made.id!)).toMatchObject({ Name: 'A', Phone: '1' })
})

test('jsforce upserts a collection, and reads which records failed', async () => {
  const { connection, sandbox } = await connected()
  const records = [
    { Ext_Id__c: 'a', Name: 'A' },
    { Ext_Id__c: 'b', Name: null },
    { Ext_Id__c: 'c', Name: 'C', Email__c: 'no address' },
  ]
  const results = await connection.sobject('Account').upsert(records, 'Ext_Id__c')
  expect(results.map(({ success }) => success)).toEqual([true, false, false])
  expect(results.map(({ errors }) => (errors[0] as { statusCode?: string } | undefined)?.statusCode)).toEqual([
    undefined,
    'REQUIRED_FIELD_MISSING',
    'INVALID_EMAIL_ADDRESS',
  ])
  expect(sandbox.requests.at(-1)?.result).toBe(200)
  expect(sandbox.objects('Account')).toHaveLength(1)
})

test('jsforce creates, updates and deletes collections by id', async () => {
  const { connection, sandbox } = await connected()
  const made = await connection.sobject('Contact').create([{ LastName: 'A' }, { LastName: 'B' }])
  const ids = made.map(({ id }) => id!)
  const changed = await connection.sobject('Contact').update(ids.map((Id) => ({ Id, FirstName: 'F' })))
  expect(changed.map(({ success }) => success)).toEqual([true, true])
  const gone = await connection.sobject('Contact').destroy(ids)
  expect(gone.map(({ success }) => success)).toEqual([true, true])
  const late = await connection.sobject('Contact').update(ids.map((Id) => ({ Id, FirstName: 'G' })))
  expect(late.map(({ errors }) => (errors[0] as { statusCode?: string }).statusCode)).toEqual(
    Array(2).fill('ENTITY_IS_DELETED'),
  )
  expect(sandbox.objects('Contact')).toEqual([])
})

test('jsforce follows the pages of a query, and reads a referred object', async () => {
  const { connection } = await connected()
  await connection
    .sobject('Account')
    .create(Array.from({ length: 7 }, (_, at) => ({ Ext_Id__c: `k-${at}`, Name: `N${at}` })))
  await connection.sobject('Contact').create({ Ext_Id__c: 'p', LastName: 'P', Account: { Ext_Id__c: 'k-3' } })
  const all = await connection.query('SELECT Id, Ext_Id__c FROM Account', { autoFetch: true, maxFetch: 100 })
  expect(all.records.map(({ Ext_Id__c }) => Ext_Id__c).sort()).toEqual(Array.from({ length: 7 }, (_, at) => `k-${at}`))
  const contacts = await connection.query("SELECT LastName, Account.Name FROM Contact WHERE Ext_Id__c = 'p'")
  expect(contacts.records).toMatchObject([{ LastName: 'P', Account: { Name: 'N3' } }])
})

test('jsforce describes an object, and reads the calls that are used', async () => {
  const { connection } = await connected()
  const account = await connection.sobject('Account').describe()
  expect(account.fields.find(({ name }) => name === 'Ext_Id__c')).toMatchObject({ externalId: true, unique: true })
  expect(connection.limitInfo.apiUsage).toEqual({ used: 1, limit: 100_000 })
})

test('jsforce is told of what is wrong by the code', async () => {
  const { connection, sandbox } = await connected()
  const code = (work: PromiseLike<unknown>) =>
    Promise.resolve(work).catch((error: { errorCode?: string }) => error.errorCode)
  const accounts = connection.sobject('Account')
  expect(await code(accounts.upsert({ Ext_Id__c: 'a', Nothing__c: 1 }, 'Ext_Id__c'))).toBe('INVALID_FIELD')
  expect(await code(accounts.retrieve('001SB0000000000AAA'))).toBe('NOT_FOUND')
  expect(await code(connection.query('SELECT Nothing__c FROM Account').run())).toBe('INVALID_FIELD')
  await sandbox.misbehave({ throttle: { retryAfterSeconds: 0 } })
  expect(await code(connection.query('SELECT Id FROM Account').run())).toBe('REQUEST_LIMIT_EXCEEDED')
  await sandbox.misbehave({ expireTokens: true })
  expect(await code(connection.query('SELECT Id FROM Account').run())).toBe('INVALID_SESSION_ID')
})
