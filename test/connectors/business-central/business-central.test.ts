import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createBusinessCentral } from '../../../connectors/business-central/destination.ts'
import { SANDBOX_COMPANY, startBusinessCentralSandbox } from '../../../connectors/business-central/sandbox.ts'
import type { Destination, EntityMapping, Outcome, Patch } from '../../../connectors/destination.ts'
import type { Sandbox } from '../../../connectors/http/sandbox-server.ts'
import { SANDBOX_CLIENT } from '../../../connectors/odata/sandbox-rules.ts'
import type { SandboxSet } from '../../../connectors/odata/sandbox-sets.ts'
import { destinationContract, fullPatch, partialPatch, removal } from '../../contract/destination-contract.ts'
import { mappingOf } from '../odata/mappings.ts'

const CUSTOMERS = mappingOf('customers', ['number'], { displayName: 'string', creditLimit: 'decimal(14,2)' })
const ORDERS = mappingOf(
  'salesOrders',
  ['number'],
  { customerNumber: 'string', orderDate: 'date' },
  { lookups: { customerNumber: { target: 'customers', keyField: 'number' } } },
)

function open(sandbox: Sandbox, mappings: readonly EntityMapping[]): Destination {
  return createBusinessCentral({
    name: 'erp',
    url: sandbox.url,
    tokenUrl: `${new URL(sandbox.url).origin}/contoso/oauth2/v2.0/token`,
    ...SANDBOX_CLIENT,
    company: SANDBOX_COMPANY,
    allowAddresses: ['127.0.0.1'],
    connections: 8,
    timeoutMs: 30_000,
    mappings,
  })
}

const CONTRACT_SET: SandboxSet = {
  name: 'clients',
  typeName: 'client',
  key: ['id'],
  properties: {
    id: { type: 'Edm.Guid', readOnly: true },
    number: { type: 'Edm.String' },
    name: { type: 'Edm.String' },
    visits: { type: 'Edm.Int64' },
    note: { type: 'Edm.String' },
  },
}

/** Numbers are codes, which Business Central writes in capitals: what the mapping does with them beforehand. */
const inCapitals = (mapping: EntityMapping): EntityMapping => ({
  ...mapping,
  fields: [
    ...mapping.fields,
    {
      to: 'number',
      from: ['id'],
      type: { kind: 'string' },
      transform: ([id]) => encodeURIComponent(String(id)).replace(/[a-z]/g, (letter) => `.${letter.toUpperCase()}`),
    },
  ],
})

destinationContract(
  'Business Central',
  {
    policies: ['hard', 'ignore'],
    comparesVersions: true,
    byTags: true,
    names: { target: 'clients', keyFields: ['number'] },
  },
  async (given) => {
    const mapping = inCapitals(given)
    const sandbox = await startBusinessCentralSandbox({ sets: [CONTRACT_SET] })
    const destination = open(sandbox, [mapping])
    return {
      destination,
      mapping,
      async read(key) {
        const read = await destination.read!(mapping, key, new AbortController().signal)
        const { number: _, ...fields } = read ?? {}
        return read === null ? undefined : fields
      },
      async close() {
        await destination.close()
        await sandbox.close()
      },
    }
  },
)

let sandbox: Sandbox
let destination: Destination
beforeEach(async () => {
  sandbox = await startBusinessCentralSandbox()
  destination = open(sandbox, [CUSTOMERS, ORDERS])
})
afterEach(async () => {
  await destination.close()
  await sandbox.close()
})

const apply = async (mapping: EntityMapping, patch: Patch): Promise<Outcome> =>
  (await destination.apply(mapping, [patch], new AbortController().signal))[0]!
const ACME = { displayName: 'Acme', creditLimit: '10.50' }

describe('Business Central', () => {
  it('finds an object by its number, makes it by POST, and changes it by its id on its ETag', async () => {
    const made = await apply(CUSTOMERS, fullPatch("O'B/1", 1, ACME))
    expect(made).toMatchObject({
      kind: 'applied',
      tag: expect.stringMatching(/^companies\(.*\)\/customers\(.*\) W\/"/),
    })
    const [asked, posted] = sandbox.requests.slice(-2)
    expect(decodeURIComponent(asked!.path)).toContain(`/customers?$filter=number eq 'O''B/1'&$select=id,number`)
    expect(posted).toMatchObject({
      method: 'POST',
      body: `{"number":"O'B/1","displayName":"Acme","creditLimit":10.50}`,
    })
    sandbox.forgetRequests()
    const known = { ...partialPatch("O'B/1", 2, { displayName: 'B' }), tag: (made as { tag: string }).tag }
    expect(await apply(CUSTOMERS, known)).toMatchObject({ kind: 'applied' })
    expect(sandbox.requests).toHaveLength(1)
    expect(sandbox.requests[0]).toMatchObject({ method: 'PATCH', body: '{"displayName":"B"}' })
    expect(sandbox.requests[0]!.path).toMatch(/\/customers\([0-9a-f-]{36}\)$/)
    expect(await apply(CUSTOMERS, known)).toEqual({ kind: 'conflict' })
    expect(await apply(CUSTOMERS, { ...removal("O'B/1", 3), tag: known.tag })).toEqual({ kind: 'conflict' })
    expect(await apply(CUSTOMERS, removal("O'B/1", 3))).toEqual({ kind: 'applied' })
    expect(await apply(CUSTOMERS, known)).toEqual({ kind: 'absent' })
  })

  it('is refused a change without a concurrency token ("Error Codes", BadRequest_InvalidToken)', async () => {
    const token = await tokenOf(sandbox)
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const set = `${sandbox.url}/companies(${SANDBOX_COMPANY})/customers`
    const made = await fetch(set, { method: 'POST', headers, body: '{"number":"1"}' })
    const { id } = (await made.json()) as { id: string }
    const refused = await fetch(`${set}(${id})`, { method: 'PATCH', headers, body: '{"displayName":"A"}' })
    expect(refused.status).toBe(400)
    expect(await refused.json()).toMatchObject({ error: { code: 'BadRequest_InvalidToken' } })
  })

  it('never sends an empty number, which a number series would fill anew each time', async () => {
    expect(await apply(CUSTOMERS, fullPatch('', 1, ACME))).toMatchObject({ kind: 'rejected', code: 'key-empty' })
    expect(sandbox.requests).toEqual([])
  })

  it('refuses a number that it would confuse with another’s', async () => {
    await apply(CUSTOMERS, fullPatch('C1', 1, ACME))
    expect(await apply(CUSTOMERS, fullPatch('c1', 1, ACME))).toMatchObject({ kind: 'rejected', code: 'key-ambiguous' })
  })

  it('is blocked by what a value refers to, until it is there', async () => {
    const order = fullPatch('S1', 1, { customerNumber: '1', orderDate: 19_675 })
    expect(await apply(ORDERS, order)).toMatchObject({ kind: 'blocked', by: 'customers' })
    await apply(CUSTOMERS, fullPatch('1', 1, ACME))
    expect(await apply(ORDERS, order)).toMatchObject({ kind: 'applied' })
    const read = () => destination.read!(ORDERS, 'S1', new AbortController().signal)
    expect(await read()).toEqual({ customerNumber: '1', orderDate: 19_675 })
    await apply(ORDERS, partialPatch('S1', 2, { orderDate: null }))
    expect(await read()).toEqual({ customerNumber: '1', orderDate: null })
  })

  it('rejects a record with its code and none of its values, waits with a property that nobody has, and obeys 429', async () => {
    const long = await apply(CUSTOMERS, fullPatch('1', 1, { displayName: 'canary'.repeat(30) }))
    expect(long).toMatchObject({ kind: 'rejected', code: 'Application_StringExceededLength' })
    expect(JSON.stringify(long)).not.toContain('canary')
    const unknown = mappingOf('customers', ['number'], { nickname: 'string' })
    expect(await apply(unknown, fullPatch('1', 1, { nickname: 'A' }))).toMatchObject({ kind: 'unavailable' })
    await sandbox.misbehave({ throttle: { retryAfterSeconds: 12 } })
    expect(await apply(CUSTOMERS, fullPatch('1', 1, ACME))).toEqual({ kind: 'throttled', afterMs: 12_000 })
  })

  it('makes one object only, when the first answer was lost', async () => {
    await sandbox.misbehave({ reset: 'after', methods: ['POST'], times: 1 })
    expect(await apply(CUSTOMERS, fullPatch('1', 1, ACME))).toMatchObject({ kind: 'unknown' })
    expect(await apply(CUSTOMERS, fullPatch('1', 1, ACME))).toMatchObject({ kind: 'applied' })
    expect(sandbox.objects('customers')).toHaveLength(1)
  })

  it('lists no keys, since what people made would be deleted, and forgets what was deleted', () => {
    expect(destination.keys).toBeUndefined()
    expect(destination.forgetsDeletes).toBe(true)
  })

  it('says what its metadata has against a mapping', async () => {
    expect(await destination.plan()).toEqual([])
    const wrong = open(sandbox, [mappingOf('customers', ['No'], { displayName: 'int64' }, { onDelete: 'archive' })])
    expect((await wrong.plan()).join('\n')).toMatch(/policy archive.*no property No.*displayName.*Edm.String/s)
    await wrong.close()
  })
})

async function tokenOf({ url }: Sandbox): Promise<string> {
  const form = { grant_type: 'client_credentials', scope: 'https://api.businesscentral.dynamics.com/.default' }
  const body = new URLSearchParams({
    ...form,
    client_id: SANDBOX_CLIENT.clientId,
    client_secret: SANDBOX_CLIENT.clientSecret,
  })
  const answer = await fetch(`${new URL(url).origin}/contoso/oauth2/v2.0/token`, { method: 'POST', body })
  return ((await answer.json()) as { access_token: string }).access_token
}
