import { describe, expect, it } from 'vitest'
import { type EntityMapping, TransformRefused } from '../../../../connectors/destination.ts'
import { createFingerprinter } from '../../../../consumers/fingerprint.ts'
import { type LedgerEntry, parseAnswer } from '../../../../consumers/ledger/entry.ts'
import { planPatch } from '../../../../consumers/patch.ts'
import { type AtSubscriber, compare } from '../../../../ops/dead-letters/subscriber/difference.ts'
import { formatShown, type ShownLetter, showJson } from '../../../../ops/dead-letters/subscriber/show.ts'
import type { Change } from '../../../../schemas/delta.ts'
import { entity } from '../letters.ts'
import { openLetter } from './letters.ts'

const CUSTOMER = entity(
  'customer',
  {
    id: { type: 'int64' },
    name: { type: 'string', personal: true },
    credit: { type: 'decimal(12,2)' },
    note: { type: 'string' },
  },
  ['id'],
)
const field = (name: string, to = name) => ({
  to,
  from: [name],
  type: CUSTOMER.fields.find((one) => one.name === name)!.type,
  transform: null,
})
const mapping: EntityMapping = {
  entity: CUSTOMER,
  target: 'customers',
  fields: [field('name', 'full_name'), field('credit'), field('note')],
  keyFields: ['id'],
  updateOnly: false,
  lookups: {},
  onDelete: 'hard',
}
const fingerprinter = createFingerprinter('a key for tests only, 32 characters', mapping.fields)
const SOURCE = {
  system: 'postgres',
  instance: 'erp',
  object: 'public.customers',
  position: '0/A',
  transaction: '7',
  committedAt: 1_000_000n,
  capturedAt: 1_000_000n,
}
const version = (position: bigint) => ({ epoch: 1n, position, ordinal: 0 })
const HEAD = { entity: 'customer', key: '42', version: version(50n), source: SOURCE, origin: null }
const AFTER = { id: 42n, name: 'Ada', credit: '10.00', note: null }
const CHANGE: Change = { ...HEAD, op: 'update', changed: ['credit'], after: AFTER, claims: {} }
const DELETE: Change = { ...HEAD, op: 'delete' }

/** What the ledger has once this was applied. */
function entryOf(after: typeof AFTER): LedgerEntry {
  const none = parseAnswer(`gnc${'0'.repeat(14)}0`)
  const plan = planPatch(
    mapping,
    fingerprinter,
    none,
    { ...CHANGE, op: 'update', changed: null, after, claims: {} },
    true,
  )
  return { ...none, state: 'live', fingerprints: plan.fingerprints }
}

function differences(change: Change, entry: LedgerEntry | null | undefined, has: AtSubscriber | undefined) {
  const wanted = compare(mapping, fingerprinter, change, entry, has)
  if (wanted.kind !== 'upsert') return wanted.kind
  return Object.fromEntries(wanted.fields.map(({ field, differs }) => [field, differs]))
}

describe('the difference', () => {
  const applied = entryOf({ ...AFTER, credit: '9.00' })

  it('is told by what the subscriber itself has', () => {
    const has = { full_name: 'Ada', credit: '10.00', note: 'x' }
    expect(differences(CHANGE, applied, has)).toEqual({ full_name: false, credit: false, note: true })
    expect(differences(CHANGE, applied, { full_name: 'Ada' })).toEqual({ full_name: false, credit: null, note: null })
    expect(differences(CHANGE, applied, null)).toEqual({ full_name: true, credit: true, note: true })
  })

  it('is told by the ledger where the subscriber cannot be asked', () => {
    expect(differences(CHANGE, applied, undefined)).toEqual({ full_name: false, credit: true, note: false })
    expect(differences(CHANGE, null, undefined)).toEqual({ full_name: true, credit: true, note: true })
    expect(differences(CHANGE, undefined, undefined)).toEqual({ full_name: null, credit: null, note: null })
  })

  it('is none in a field that the record does not have', () => {
    const { credit: _, ...after } = AFTER
    expect(differences({ ...CHANGE, op: 'update', changed: null, after, claims: {} }, null, undefined)).toMatchObject({
      credit: false,
      note: true,
    })
  })

  it('is none between two texts of one JSON document, to the last digit', () => {
    const facts = entity('thing', { id: { type: 'int64' }, facts: { type: 'json' } }, ['id'])
    const type = { kind: 'json' } as const
    const fields = [{ to: 'facts', from: ['facts'], type, transform: null }]
    const change: Change = { ...CHANGE, entity: 'thing', changed: null, after: { id: 1n, facts: '{"b":1.10,"a":[]}' } }
    const differs = (has: string) => {
      const wanted = compare(
        { ...mapping, entity: facts, fields },
        createFingerprinter('x'.repeat(32), fields),
        change,
        null,
        {
          facts: has,
        },
      )
      return wanted.kind === 'upsert' && wanted.fields[0]!.differs
    }
    expect(differs('{"a": [], "b": 1.10}')).toBe(false)
    for (const has of ['{"a": [], "b": 1.11}', '{"a": []}', 'no document']) expect(differs(has)).toBe(true)
  })

  it('of a delete, or of what the mapping refuses, is no list of fields', () => {
    expect(differences(DELETE, null, undefined)).toBe('delete')
    const refusing = () => {
      throw new TransformRefused('no such country')
    }
    const fields = [{ ...mapping.fields[0]!, transform: refusing }, ...mapping.fields.slice(1)]
    expect(compare({ ...mapping, fields }, fingerprinter, CHANGE, null, undefined)).toEqual({
      kind: 'refused',
      reason: 'full_name: no such country',
    })
  })
})

function shownLetter(more: Partial<ShownLetter> = {}): ShownLetter {
  const has = { full_name: 'Grace', credit: '9.00', note: null }
  return {
    subscriber: 'crm',
    letter: openLetter('42', { state: 'retrying', sinceMs: 0 }),
    key: { text: '42', masked: false },
    owner: 'sales',
    fields: CUSTOMER.fields,
    decoded: { kind: 'change', change: CHANGE },
    wanted: compare(mapping, fingerprinter, CHANGE, null, has),
    ledger: { state: 'live', version: version(40n), uncertain: false },
    has,
    showPersonal: false,
    ...more,
  }
}

describe('a shown letter', () => {
  const text = (shown: ShownLetter) => formatShown(shown, 7_200_000).join('\n')

  it('puts what is wanted beside what the subscriber has, without personal values', () => {
    const lines = formatShown(shownLetter(), 7_200_000)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100)
    expect(lines.join('\n')).toMatch(/≠ +credit +10\.00 +9\.00/)
    expect(lines.join('\n')).toMatch(/= +note +null +null/)
    expect(lines.join('\n')).toMatch(/≠ +full_name +••• +•••/)
    const json = JSON.stringify(showJson(shownLetter()))
    for (const output of [lines.join('\n'), json]) expect(output).not.toMatch(/Ada|Grace/)
    expect(JSON.parse(json)).toMatchObject({
      state: 'retrying',
      decoded: { op: 'update', after: { credit: '10.00' } },
      wanted: { fields: [{ field: 'full_name', differs: true, personal: true }, { wanted: '10.00', has: '9.00' }, {}] },
    })
  })

  it('has personal values when they are asked for', () => {
    expect(text(shownLetter({ showPersonal: true }))).toMatch(/full_name +Ada +Grace/)
    expect(JSON.stringify(showJson(shownLetter({ showPersonal: true })))).toMatch(/Ada.+Grace/)
  })

  it('says what a replay would find', () => {
    expect(text(shownLetter())).toContain('last sent version 1/40/0')
    const newer = { state: 'live', version: version(60n), uncertain: true } as const
    expect(text(shownLetter({ ledger: newer }))).toMatch(/newer version, 1\/60\/0, .+changes nothing[\s\S]+not certain/)
    expect(text(shownLetter({ ledger: { ...newer, version: version(50n) } }))).toContain('This very version')
    expect(text(shownLetter({ ledger: { ...newer, version: null }, has: undefined }))).toMatch(
      /cannot be asked.+\n.*was ever applied/,
    )
    expect(text(shownLetter({ has: null }))).toContain('has no such object')
  })

  it('says that a record cannot be decoded, that its entity is not taken, or that it is a delete', () => {
    const unreadable = {
      decoded: { kind: 'unreadable', problem: 'its schema 9 is not registered' },
      wanted: null,
    } as const
    expect(text(shownLetter(unreadable))).toContain('cannot be decoded: its schema 9')
    expect(showJson(shownLetter(unreadable))).toMatchObject({
      decoded: null,
      problem: 'its schema 9 is not registered',
    })
    expect(text(shownLetter({ wanted: null }))).toContain('does not take customer any more')
    const removal = { decoded: { kind: 'change', change: DELETE }, wanted: { kind: 'delete' } } as const
    expect(text(shownLetter(removal))).toContain('deletes the object')
  })

  it('shows no value of an entity that is not declared any more: nothing is known of its fields', () => {
    const json = JSON.stringify(showJson(shownLetter({ fields: undefined, wanted: null })))
    expect(json).not.toMatch(/Ada|10\.00/)
  })
})
