import { DynamicsWebApi } from 'dynamics-web-api'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { SANDBOX_CLIENT } from '../../../connectors/odata/sandbox-rules.ts'
import { fullPatch } from '../../contract/destination-contract.ts'
import { ACCOUNTS, CONTOSO, type Subject, startSubject } from './subject.ts'

// A client that this project did not write: it finds the sandbox to be what it expects of Dataverse.

let subject: Subject
let client: DynamicsWebApi
beforeEach(async () => {
  subject = await startSubject()
  const { url } = subject.sandbox
  client = new DynamicsWebApi({
    serverUrl: url,
    dataApi: { path: 'data', version: '9.2' },
    onTokenRefresh: async () => {
      const form = { grant_type: 'client_credentials', client_id: SANDBOX_CLIENT.clientId }
      const secret = { client_secret: SANDBOX_CLIENT.clientSecret, scope: `${url}/.default` }
      const answer = await fetch(`${url}/${CONTOSO}`, {
        method: 'POST',
        body: new URLSearchParams({ ...form, ...secret }),
      })
      return ((await answer.json()) as { access_token: string }).access_token
    },
  })
})
afterEach(async () => {
  await subject.close()
})

const KEY = "erp_id='1'"
const failure = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error: { status: number; message: string }) => error.status,
  )

it('creates, reads, updates on an ETag and deletes; an old ETag is 412', async () => {
  const made = await client.create<Record<string, unknown>>({
    collection: 'accounts',
    data: { erp_id: '1', name: 'Acme' },
    returnRepresentation: true,
  })
  expect(made.name).toBe('Acme')
  const row = await client.retrieve<Record<string, unknown>>({ collection: 'accounts', key: KEY, select: ['name'] })
  expect(row['@odata.etag']).toBe(made['@odata.etag'])
  const ifmatch = String(row['@odata.etag'])
  const update = (name: string) => client.update({ collection: 'accounts', key: KEY, data: { name }, ifmatch })
  await update('Acme II')
  // The client makes `false` of a 412 of a conditional update.
  expect(await update('Acme III')).toBe(false)
  expect(subject.sandbox.requests.at(-1)).toMatchObject({ method: 'PATCH', result: 412 })
  expect(subject.sandbox.objects('accounts')).toMatchObject([{ name: 'Acme II' }])
  await client.deleteRecord({ collection: 'accounts', key: KEY })
  expect(await failure(client.retrieve({ collection: 'accounts', key: KEY }))).toBe(404)
})

it('upserts by the alternate key, and sees the rows of the destination as the destination sees its', async () => {
  await client.upsert({ collection: 'accounts', key: KEY, data: { name: 'Theirs' } })
  await subject.apply(ACCOUNTS, fullPatch('2', 1, { name: 'Ours', erp_visits: 5n }))
  const signal = new AbortController().signal
  expect(await subject.destination.read!(ACCOUNTS, '1', signal)).toMatchObject({ name: 'Theirs' })
  const ours = await client.retrieve<Record<string, unknown>>({ collection: 'accounts', key: "erp_id='2'" })
  expect(ours).toMatchObject({ name: 'Ours', erp_visits: 5 })
  // Theirs changed: what the destination knew of it is told to be old.
  await client.upsert({ collection: 'accounts', key: "erp_id='2'", data: { name: 'Theirs now' } })
  const tag = String(ours['@odata.etag'])
  expect(await subject.apply(ACCOUNTS, { ...fullPatch('2', 2, { name: 'Ours' }), tag })).toEqual({ kind: 'conflict' })
})

it('makes only, and updates only, when it asks so', async () => {
  await client.upsert({ collection: 'accounts', key: KEY, data: { name: 'A' }, ifnonematch: '*' })
  await client.upsert({ collection: 'accounts', key: KEY, data: { name: 'B' }, ifnonematch: '*' })
  expect(subject.sandbox.requests.at(-1)).toMatchObject({ result: 412 })
  await client.upsert({ collection: 'accounts', key: "erp_id='none'", data: { name: 'B' }, ifmatch: '*' })
  expect(subject.sandbox.requests.at(-1)).toMatchObject({ result: 404 })
  expect(subject.sandbox.objects('accounts')).toMatchObject([{ name: 'A' }])
})

it('is told 429 with the time to wait', async () => {
  await subject.sandbox.misbehave({ throttle: { retryAfterSeconds: 7 }, times: 1 })
  const refused = await client
    .retrieveMultiple({ collection: 'accounts', select: ['name'] })
    .then(() => null)
    .catch((error: { status: number; code: string; headers?: Record<string, string> }) => error)
  expect(refused).toMatchObject({ status: 429, code: '0x80072322' })
  expect(refused?.headers?.['retry-after']).toBe('7')
  expect((await client.retrieveMultiple({ collection: 'accounts', select: ['name'] })).value).toEqual([])
})
