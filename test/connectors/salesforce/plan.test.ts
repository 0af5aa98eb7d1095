import { describe, expect, test } from 'vitest'
import type { EntityMapping } from '../../../connectors/destination.ts'
import { EXTERNAL_ID, type SandboxObject } from '../../../connectors/salesforce/sandbox/objects.ts'
import { fullPatch } from '../../contract/destination-contract.ts'
import { ACCOUNTS, mappingOf, ORDERS, startSubject } from './salesforce-sandbox.ts'

const NAME = { name: 'Name', type: 'string' } as const

async function planned(mapping: EntityMapping, objects?: readonly SandboxObject[]): Promise<readonly string[]> {
  const { destination } = await startSubject({ mappings: [mapping] }, objects ? { objects } : {})
  return await destination.plan()
}
const account = (...fields: SandboxObject['fields']): readonly SandboxObject[] => [
  { name: 'Account', prefix: '001', fields },
]
const NAMES = mappingOf('Account', { Name: 'string' })

describe('the plan', () => {
  test('is empty for mappings that fit, lookups and all types included', async () => {
    const all = mappingOf('Account', {
      Name: 'string',
      Active__c: 'boolean',
      Points__c: 'int64',
      Balance__c: 'decimal(12,4)',
      Since__c: 'date',
      Seen__c: 'timestamptz',
      Opens__c: 'time',
      Tags__c: 'string[]',
      Status__c: 'enum(open,closed)',
    })
    expect(await planned(all)).toEqual([])
    expect(await planned(ORDERS)).toEqual([])
  })

  test.each<[string, EntityMapping, readonly SandboxObject[] | undefined, string]>([
    [
      'an object that is not there',
      mappingOf('Nothing__c', { Name: 'string' }),
      undefined,
      'object Nothing__c is not there',
    ],
    [
      'a field that is not there',
      mappingOf('Account', { Name: 'string', Gone__c: 'string' }),
      undefined,
      'Account.Gone__c is not there',
    ],
    [
      'a field that is read only',
      mappingOf('Account', { Name: 'string', Score__c: 'double' }),
      undefined,
      'Account.Score__c may not be changed',
    ],
    [
      'a type that does not fit',
      mappingOf('Account', { Name: 'string', Seen__c: 'string' }),
      undefined,
      'Account.Seen__c is of type datetime',
    ],
    [
      'decimals that would be rounded',
      mappingOf('Account', { Name: 'string', Balance__c: 'decimal(18,6)' }),
      undefined,
      'keeps 4 decimals',
    ],
    [
      'a required field that is not mapped',
      mappingOf('Contact', { FirstName: 'string' }),
      undefined,
      'Contact.LastName is required',
    ],
    ['a delete policy it does not have', { ...ACCOUNTS, onDelete: 'soft' }, undefined, 'it has `hard` and `ignore`'],
    ['no key field', { ...ACCOUNTS, keyFields: [] }, undefined, 'exactly one key field'],
    [
      'a key that is no external id',
      NAMES,
      account(NAME, { ...EXTERNAL_ID, externalId: false }),
      'not marked as an external id',
    ],
    ['a key that is not unique', NAMES, account(NAME, { ...EXTERNAL_ID, unique: false }), 'is not unique'],
    [
      'a key that does not tell case',
      NAMES,
      account(NAME, { ...EXTERNAL_ID, caseSensitive: false }),
      'upper from lower case',
    ],
    ['a key that is a number', NAMES, account(NAME, { ...EXTERNAL_ID, type: 'double' }), 'keys are text'],
    [
      'an object that may not be deleted',
      NAMES,
      [{ ...account(NAME, EXTERNAL_ID)[0]!, deletable: false }],
      'may not delete it',
    ],
    [
      'an object that may not be created',
      NAMES,
      [{ ...account(NAME, EXTERNAL_ID)[0]!, createable: false }],
      'may not create it',
    ],
    [
      'a lookup that refers elsewhere',
      { ...ORDERS, lookups: { Account__c: { target: 'Contact', keyField: 'Ext_Id__c' } } },
      undefined,
      'refers to Account, not to Contact',
    ],
    [
      'a lookup by a field that is no external id',
      { ...ORDERS, lookups: { Account__c: { target: 'Account', keyField: 'Name' } } },
      undefined,
      'no unique external id',
    ],
    [
      'a lookup in a plain field',
      { ...ACCOUNTS, lookups: { Phone: { target: 'Account', keyField: 'Ext_Id__c' } } },
      undefined,
      'no lookup',
    ],
  ])('tells of %s', async (_, mapping, objects, words) => {
    const missing = await planned(mapping, objects)
    expect(missing).toHaveLength(1)
    expect(missing[0]).toContain(words)
  })

  test('asks for no required field where objects are only changed', async () => {
    expect(await planned({ ...mappingOf('Contact', { FirstName: 'string' }), updateOnly: true })).toEqual([])
  })

  test('that is not empty is refused by provision and check, which change nothing', async () => {
    const { destination } = await startSubject({ mappings: [mappingOf('Account', { Gone__c: 'string' })] })
    for (const refuse of [destination.provision(), destination.check()])
      await expect(refuse).rejects.toMatchObject({
        code: 'destination-unsuitable',
        message: expect.stringContaining('Gone__c'),
      })
  })

  test('cannot be made while nobody answers', async () => {
    const { destination, sandbox } = await startSubject()
    await sandbox.misbehave({ down: true })
    await expect(destination.check()).rejects.toMatchObject({ code: 'destination-unreachable' })
    await sandbox.misbehave({ status: 500 })
    await expect(destination.plan()).rejects.toMatchObject({ code: 'destination-unreachable' })
  })
})

test('a name that is none never gets into a query', async () => {
  await expect(
    startSubject({ mappings: [mappingOf("Account WHERE Name != ''", { Name: 'string' })] }),
  ).rejects.toMatchObject({
    code: 'declaration-invalid',
  })
})

test('what it holds is read back in the canonical form, lookups by the key they refer by', async () => {
  const all = mappingOf('Account', {
    Name: 'string',
    Active__c: 'boolean',
    Points__c: 'int64',
    Balance__c: 'decimal(18,4)',
    Since__c: 'date',
    Seen__c: 'timestamptz',
    Opens__c: 'time',
    Tags__c: 'string[]',
    Phone: 'string',
  })
  const { apply, destination } = await startSubject()
  const fields = {
    Name: 'N',
    Active__c: true,
    Points__c: 999_999_999_999_999_999n,
    Balance__c: '12345678901234.5678',
    Since__c: 20_000,
    Seen__c: 1_700_000_000_123_000n,
    Opens__c: 3_600_000_000n,
    Tags__c: ['red', 'blue'],
    Phone: null,
  }
  const { signal } = new AbortController()
  expect(await apply(all, fullPatch('a', 1, fields))).toEqual([{ kind: 'applied' }])
  expect(await destination.read!(all, 'a', signal)).toEqual(fields)
  expect(await destination.read!(all, 'nobody', signal)).toBeNull()
  await apply(ORDERS, fullPatch('o', 1, { Name: 'O', Account__c: 'a', Contact__c: null, Amount__c: '1.00' }))
  expect(await destination.read!(ORDERS, 'o', signal)).toEqual({
    Name: 'O',
    Account__c: 'a',
    Contact__c: null,
    Amount__c: '1.00',
  })
})
