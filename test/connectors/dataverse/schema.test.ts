import { expect, it } from 'vitest'
import { createDataverse } from '../../../connectors/dataverse/destination.ts'
import type { EntityMapping } from '../../../connectors/destination.ts'
import { mappingOf } from '../odata/mappings.ts'
import { ACCOUNTS, CONTACTS, optionsFor, startSubject } from './subject.ts'

async function planOf(mapping: EntityMapping): Promise<readonly string[]> {
  const { sandbox, close } = await startSubject()
  const destination = createDataverse({ ...optionsFor(sandbox), mappings: [mapping] })
  const plan = await destination.plan()
  const checked = await destination.check().then(
    () => 'good',
    (error: { code: string }) => error.code,
  )
  expect(checked).toBe(plan.length === 0 ? 'good' : 'destination-unsuitable')
  expect(sandbox.requests.every(({ method, path }) => method === 'GET' || path.includes('/oauth2/'))).toBe(true)
  await destination.close()
  await close()
  return plan
}

it('finds nothing to say of a mapping that fits', async () => {
  expect(await planOf(ACCOUNTS)).toEqual([])
  expect(await planOf(CONTACTS)).toEqual([])
})

const lookups = CONTACTS.lookups
const cases: readonly [string, EntityMapping, string][] = [
  ['an entity set that is not there', mappingOf('account', ['erp_id'], {}), 'no entity set account'],
  ['a key that is none', mappingOf('accounts', ['name'], {}), 'no alternate key of name'],
  ['no key', mappingOf('accounts', [], {}), 'no key fields'],
  ['a key whose index is not built', mappingOf('erp_notes', ['erp_text'], {}), 'is Pending'],
  ['a column that is not there', mappingOf('accounts', ['erp_id'], { Name: 'string' }), 'no column Name'],
  [
    'a column of another type',
    mappingOf('accounts', ['erp_id'], { name: 'int64' }),
    'is a String and does not take int64',
  ],
  ['a key of another type', mappingOf('accounts', ['erp_id'], { erp_id: 'int64' }), 'does not take int64'],
  [
    'a column that nobody writes',
    mappingOf('accounts', ['erp_id'], { createdon: 'timestamptz' }),
    'may not be updated',
  ],
  ['a lookup as a plain column', mappingOf('contacts', ['erp_id'], { parentcustomerid: 'uuid' }), 'as a lookup'],
  [
    'a lookup of the wrong name',
    mappingOf(
      'contacts',
      ['erp_id'],
      { parentcustomerid: 'string' },
      { lookups: { parentcustomerid: lookups.parentcustomerid_account! } },
    ),
    'no navigation property',
  ],
  [
    'a lookup to another table',
    mappingOf(
      'contacts',
      ['erp_id'],
      { parentcustomerid_account: 'string' },
      { lookups: { parentcustomerid_account: { target: 'contacts', keyField: 'erp_id' } } },
    ),
    'leads to table account',
  ],
  [
    'a lookup by no key',
    mappingOf(
      'contacts',
      ['erp_id'],
      { parentcustomerid_account: 'string' },
      { lookups: { parentcustomerid_account: { target: 'accounts', keyField: 'name' } } },
    ),
    'no active alternate key of name',
  ],
  ['a list', mappingOf('accounts', ['erp_id'], { name: 'string[]' }), 'does not take string[]'],
  ['an archive', { ...ACCOUNTS, onDelete: 'archive' }, 'has hard, soft and ignore'],
  [
    'a soft delete of a mapped state',
    mappingOf('accounts', ['erp_id'], { statecode: 'int32' }, { onDelete: 'soft' }),
    'leave one out',
  ],
  ['a table without optimistic concurrency', mappingOf('erp_notes', ['erp_id'], {}), 'no optimistic concurrency'],
]
it.each(cases)('says what is wrong with %s', async (_, mapping, words) => {
  expect((await planOf(mapping)).join('\n')).toContain(words)
})

it('compares nothing where it is declared so: one upsert without a question', async () => {
  const notes = mappingOf('erp_notes', ['erp_id'], { erp_text: 'string' })
  const { sandbox, destination, apply, close } = await startSubject([notes], { compare: false })
  expect(destination.comparesVersions).toBe(false)
  expect(await destination.plan()).toEqual([])
  sandbox.forgetRequests()
  const version = { epoch: 1n, position: 1n, ordinal: 0 }
  const patch = { kind: 'upsert', key: '1', version, fields: { erp_text: 'A' }, tag: null } as const
  expect(await apply(notes, { ...patch, full: false })).toEqual({ kind: 'absent' })
  expect(await apply({ ...notes, updateOnly: true }, { ...patch, full: true })).toMatchObject({
    code: 'object-missing',
  })
  expect(await apply(notes, { ...patch, full: true })).toMatchObject({ kind: 'applied' })
  expect(await apply(notes, { ...patch, full: false })).toMatchObject({ kind: 'applied' })
  expect(await apply(notes, { kind: 'delete', key: '1', version, tag: null })).toEqual({ kind: 'applied' })
  expect(await apply(notes, { kind: 'delete', key: '1', version, tag: null })).toEqual({ kind: 'applied' })
  expect(sandbox.requests.filter(({ path }) => path.includes('erp_notes')).map(({ method }) => method)).not.toContain(
    'GET',
  )
  await close()
})
