import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Destination, EntityMapping, Outcome, Patch } from '../../../connectors/destination.ts'
import { createFinanceOperations } from '../../../connectors/finance-operations/destination.ts'
import { startFinanceOperationsSandbox } from '../../../connectors/finance-operations/sandbox.ts'
import type { Sandbox } from '../../../connectors/http/sandbox-server.ts'
import { SANDBOX_CLIENT } from '../../../connectors/odata/sandbox-rules.ts'
import type { SandboxSet } from '../../../connectors/odata/sandbox-sets.ts'
import { destinationContract, fullPatch, partialPatch, removal } from '../../contract/destination-contract.ts'
import { mappingOf } from '../odata/mappings.ts'

const CUSTOMERS = mappingOf(
  'CustomersV3',
  ['CustomerAccount'],
  {
    OrganizationName: 'string',
    CustomerGroupId: 'string',
    CreditLimit: 'decimal(14,2)',
    IdentificationNumber: 'int64',
    CreatedOn: 'date',
  },
  { lookups: { CustomerGroupId: { target: 'CustomerGroups', keyField: 'CustomerGroupId' } } },
)
const GROUPS = mappingOf('CustomerGroups', ['CustomerGroupId'], { Description: 'string' })

function open(sandbox: Pick<Sandbox, 'url'>, mappings: readonly EntityMapping[], company = 'usmf'): Destination {
  return createFinanceOperations({
    name: 'erp',
    url: sandbox.url,
    tokenUrl: `${sandbox.url}/contoso/oauth2/v2.0/token`,
    ...SANDBOX_CLIENT,
    company,
    allowAddresses: ['127.0.0.1'],
    connections: 8,
    timeoutMs: 30_000,
    mappings,
  })
}

const CONTRACT_SET: SandboxSet = {
  name: 'Clients',
  typeName: 'Client',
  key: ['dataAreaId', 'Id'],
  properties: {
    dataAreaId: { type: 'Edm.String' },
    Id: { type: 'Edm.String' },
    name: { type: 'Edm.String' },
    visits: { type: 'Edm.Int64' },
    note: { type: 'Edm.String' },
  },
}

destinationContract(
  'Finance & Operations',
  {
    policies: ['hard', 'ignore'],
    comparesVersions: true,
    byTags: true,
    names: { target: 'Clients', keyFields: ['Id'] },
    // Keys are compared without case.
    refusesKey: (key) => key.startsWith('KEY'),
  },
  async (mapping) => {
    const sandbox = await startFinanceOperationsSandbox({ sets: [CONTRACT_SET] })
    const destination = open(sandbox, [mapping])
    return {
      destination,
      read: async (key) => (await destination.read!(mapping, key, new AbortController().signal)) ?? undefined,
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
  sandbox = await startFinanceOperationsSandbox()
  destination = open(sandbox, [CUSTOMERS, GROUPS])
})
afterEach(async () => {
  await destination.close()
  await sandbox.close()
})

const apply = async (mapping: EntityMapping, patch: Patch): Promise<Outcome> =>
  (await destination.apply(mapping, [patch], new AbortController().signal))[0]!
const ACME = { OrganizationName: 'Acme', CreditLimit: '10.50' }

describe('Finance & Operations', () => {
  it('makes an object by POST in its legal entity, and changes it by PATCH on the ETag that it has', async () => {
    expect(await apply(CUSTOMERS, fullPatch("O'B 1", 1, ACME))).toMatchObject({
      kind: 'applied',
      tag: expect.any(String),
    })
    expect(sandbox.requests.at(-1)).toMatchObject({
      method: 'POST',
      path: '/data/CustomersV3?cross-company=true',
      body: `{"dataAreaId":"usmf","CustomerAccount":"O'B 1","OrganizationName":"Acme","CreditLimit":10.50}`,
    })
    expect(await apply(CUSTOMERS, partialPatch("O'B 1", 2, { OrganizationName: 'B' }))).toEqual({ kind: 'applied' })
    const { method, path, headers, body } = sandbox.requests.at(-1)!
    expect(method).toBe('PATCH')
    expect(path).toBe(`/data/CustomersV3(dataAreaId='usmf',CustomerAccount='O''B%201')?cross-company=true`)
    expect(headers['if-match']).toMatch(/^W\//)
    expect(body).toBe('{"OrganizationName":"B"}')
  })

  it('answers conflict to an ETag that is old, for a change and for a delete', async () => {
    const made = (await apply(CUSTOMERS, fullPatch('1', 1, ACME))) as { tag: string }
    await apply(CUSTOMERS, partialPatch('1', 2, { OrganizationName: 'B' }))
    expect(await apply(CUSTOMERS, { ...partialPatch('1', 3, ACME), tag: made.tag })).toEqual({ kind: 'conflict' })
    expect(await apply(CUSTOMERS, { ...removal('1', 3), tag: made.tag })).toEqual({ kind: 'conflict' })
  })

  it('keeps to its own legal entity', async () => {
    const other = open(sandbox, [CUSTOMERS], 'demf')
    const [outcome] = await other.apply(CUSTOMERS, [fullPatch('1', 1, ACME)], new AbortController().signal)
    expect(outcome).toMatchObject({ kind: 'applied' })
    expect(await apply(CUSTOMERS, partialPatch('1', 1, ACME))).toEqual({ kind: 'absent' })
    await other.close()
  })

  it('lists no keys: its numbers are not ours alone, and what people made would be deleted', () => {
    expect(destination.keys).toBeUndefined()
  })

  it('counts a delete of what is missing as done only while the set itself answers: an empty 404 may be a gateway’s', async () => {
    expect(await apply(CUSTOMERS, removal('1', 1))).toEqual({ kind: 'unchanged' })
    expect(await apply(CUSTOMERS, { ...removal('1', 1), tag: 'W/"1"' })).toEqual({ kind: 'applied' })
    const gateway = createServer((request, response) => {
      const isToken = request.url!.includes('/oauth2/')
      response.writeHead(isToken ? 200 : 404).end(isToken ? '{"access_token":"a","expires_in":3600}' : undefined)
    })
    await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`
    const behind = open({ url }, [CUSTOMERS])
    for (const tag of [null, 'W/"1"'])
      expect(await behind.apply(CUSTOMERS, [{ ...removal('1', 1), tag }], new AbortController().signal)).toMatchObject([
        { kind: 'unavailable' },
      ])
    await behind.close()
    gateway.closeAllConnections()
    gateway.close()
  })

  it('says that it forgets what was deleted: a create that comes late is not refused', () => {
    expect(destination).toMatchObject({ comparesVersions: true, forgetsDeletes: true })
  })

  it('keeps digits, has dates at noon, and blanks for nulls', async () => {
    const values = {
      OrganizationName: 'Ünïcode',
      CustomerGroupId: null,
      CreditLimit: '999999999999.99',
      IdentificationNumber: 9_007_199_254_740_993n,
      CreatedOn: 19_675,
    }
    expect(await apply(CUSTOMERS, fullPatch('1', 1, values))).toMatchObject({ kind: 'applied' })
    expect(sandbox.requests.at(-1)!.body).toContain('"CreatedOn":"2023-11-14T12:00:00Z"')
    const read = () => destination.read!(CUSTOMERS, '1', new AbortController().signal)
    expect(await read()).toEqual(values)
    await apply(CUSTOMERS, partialPatch('1', 2, { CreatedOn: null, OrganizationName: null, CreditLimit: null }))
    expect(await read()).toMatchObject({ CreatedOn: null, OrganizationName: null, CreditLimit: '0.00' })
  })

  it('is blocked by the set that a value refers to, until it is there', async () => {
    const patch = fullPatch('1', 1, { ...ACME, CustomerGroupId: '30' })
    expect(await apply(CUSTOMERS, patch)).toMatchObject({ kind: 'blocked', by: 'CustomerGroups' })
    await apply(GROUPS, fullPatch('30', 1, { Description: 'Retail' }))
    expect(await apply(CUSTOMERS, patch)).toMatchObject({ kind: 'applied' })
  })

  it('rejects a record without any value of it, waits with a property that nobody has, and obeys 429', async () => {
    const long = await apply(CUSTOMERS, fullPatch('1', 1, { OrganizationName: 'canary'.repeat(30) }))
    expect(long).toMatchObject({ kind: 'rejected', code: 'http-400' })
    expect(JSON.stringify(long)).not.toContain('canary')
    const unknown = mappingOf('CustomersV3', ['CustomerAccount'], { Nickname: 'string' })
    expect(await apply(unknown, fullPatch('1', 1, { Nickname: 'A' }))).toMatchObject({ kind: 'unavailable' })
    await sandbox.misbehave({ throttle: { retryAfterSeconds: 12 } })
    expect(await apply(CUSTOMERS, fullPatch('1', 1, ACME))).toEqual({ kind: 'throttled', afterMs: 12_000 })
    expect(destination.budget!()).toMatchObject({ left: 0 })
  })

  it('renews its token, and tells what may have been done from what was not', async () => {
    await apply(CUSTOMERS, fullPatch('1', 1, ACME))
    await sandbox.misbehave({ expireTokens: true })
    expect(await apply(CUSTOMERS, fullPatch('1', 2, ACME))).toMatchObject({ kind: 'applied' })
    await sandbox.misbehave({ reset: 'after', methods: ['PATCH'] })
    expect(await apply(CUSTOMERS, fullPatch('1', 3, ACME))).toMatchObject({ kind: 'unknown' })
    await sandbox.misbehave({ down: true })
    expect(await apply(CUSTOMERS, fullPatch('1', 4, ACME))).toMatchObject({ kind: 'unavailable' })
  })

  it('says what its metadata has against a mapping', async () => {
    expect(await destination.plan()).toEqual([])
    const wrong = open(sandbox, [
      mappingOf('Customers', ['CustomerAccount'], {}),
      mappingOf('CustomersV3', ['CustomerAccount'], { Name: 'string', CreditLimit: 'string' }, { onDelete: 'soft' }),
    ])
    expect((await wrong.plan()).join('\n')).toMatch(
      /no entity set Customers.*policy soft.*no property Name.*CreditLimit.*Edm.Decimal/s,
    )
    await expect(wrong.check()).rejects.toMatchObject({ code: 'destination-unsuitable' })
    await wrong.close()
  })
})
