import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EntityMapping } from '../../connectors/destination.ts'
import {
  createFingerprinter,
  type Fingerprints,
  packFingerprints,
  unpackFingerprints,
} from '../../consumers/fingerprint.ts'
import type { LedgerEntry } from '../../consumers/ledger/entry.ts'
import { planPatch } from '../../consumers/patch.ts'
import type { Change } from '../../schemas/delta.ts'
import type { Value } from '../../schemas/field-type.ts'

const mapping: EntityMapping = {
  entity: { name: 'customer', key: ['id'], fields: [], class: 'standard', owner: 'sales', freshnessSeconds: 60 },
  target: 'customers',
  onDelete: 'hard',
  fields: ['id', 'email', 'phone'].map((name) => ({
    to: `dim_${name}`,
    from: [name],
    type: { kind: 'string' },
    transform: null,
  })),
  keyFields: [],
  updateOnly: false,
  lookups: {},
}
const SECRET = 'a secret of at least thirty-two characters'
const fingerprinter = createFingerprinter(SECRET, mapping.fields)

function change(after: Record<string, Value>, op: 'update' | 'delete' = 'update'): Change {
  const head = {
    entity: 'customer',
    key: '42',
    version: { epoch: 1n, position: 9n, ordinal: 0 },
    source: {
      system: 'postgres',
      instance: 'erp',
      object: 'public.customers',
      position: '0/9',
      transaction: null,
      committedAt: 1n,
      capturedAt: 1n,
    },
    origin: null,
  }
  return op === 'delete' ? { ...head, op } : { ...head, op, changed: null, after, claims: {} }
}

const FINE = { letter: null, attempts: 0, firstFailedAtMs: 0 }

function entry(fingerprints: Fingerprints, with_: Partial<LedgerEntry> = {}): LedgerEntry {
  return { state: 'live', uncertain: false, uncertainForMs: 0, ...FINE, fingerprints, tag: null, ...with_ }
}

const whole = { id: '42', email: 'a@x', phone: '1' }
const known = planPatch(mapping, fingerprinter, entry(new Map(), { state: 'none' }), change(whole), false).fingerprints

describe('a patch', () => {
  test('is just the mapped fields that differ from what was last applied', () => {
    const { patch, full } = planPatch(mapping, fingerprinter, entry(known), change({ ...whole, phone: '2' }), false)
    expect(full).toBe(false)
    expect(patch).toMatchObject({ kind: 'upsert', full: false, fields: { dim_phone: '2' } })
    expect(Object.keys((patch as { fields: object }).fields)).toEqual(['dim_phone'])
  })

  test('is nothing when the subscriber already is so', () => {
    expect(planPatch(mapping, fingerprinter, entry(known), change(whole), false).patch).toBeNull()
  })

  test.each([
    ['nothing was ever applied', entry(known, { state: 'none' }), false],
    ['the object was deleted', entry(known, { state: 'deleted' }), false],
    ['the key is uncertain', entry(known, { uncertain: true }), false],
    ['the destination lacks the object', entry(known), true],
  ])('is full when %s', (_why, ledgerEntry, mustBeFull) => {
    const { patch } = planPatch(mapping, fingerprinter, ledgerEntry, change(whole), mustBeFull)
    expect(patch).toMatchObject({ full: true, fields: { dim_id: '42', dim_email: 'a@x', dim_phone: '1' } })
  })

  test('clears a field that became null, and leaves one that the record does not have', () => {
    const { patch, fingerprints } = planPatch(
      mapping,
      fingerprinter,
      entry(known),
      change({ id: '42', email: null }),
      false,
    )
    expect((patch as { fields: object }).fields).toEqual({ dim_email: null })
    expect(fingerprints.get(fingerprinter.idOf('dim_phone'))).toBe(known.get(fingerprinter.idOf('dim_phone')))
  })

  test('forgets what it knew of a field that a full patch could not carry', () => {
    const { fingerprints } = planPatch(
      mapping,
      fingerprinter,
      entry(known, { uncertain: true }),
      change({ id: '42', email: 'a@x' }),
      false,
    )
    expect(fingerprints.has(fingerprinter.idOf('dim_phone'))).toBe(false)
  })

  test('fills in a field that was mapped later', () => {
    const earlier = new Map([...known].filter(([id]) => id !== fingerprinter.idOf('dim_phone')))
    const { patch } = planPatch(mapping, fingerprinter, entry(earlier), change(whole), false)
    expect((patch as { fields: object }).fields).toEqual({ dim_phone: '1' })
  })

  test('of a delete is a delete, and leaves nothing known', () => {
    const plan = planPatch(mapping, fingerprinter, entry(known), change({}, 'delete'), false)
    expect(plan).toMatchObject({ patch: { kind: 'delete', key: '42' }, state: 'deleted' })
    expect(plan.fingerprints.size).toBe(0)
  })
})

describe('a fingerprint', () => {
  const value: fc.Arbitrary<Value> = fc.oneof(
    fc.constant(null),
    fc.string(),
    fc.boolean(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.double(),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.array(fc.oneof(fc.string(), fc.constant(null)), { maxLength: 4 }),
  )
  const print = (one: Value) => fingerprinter.fingerprint('f', one)
  const isSame = (a: Value, b: Value): boolean => {
    if (Buffer.isBuffer(a) && Buffer.isBuffer(b)) return a.equals(b)
    if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((x, at) => isSame(x, b[at]!))
    return Object.is(a, b)
  }

  test('is the same for the same value and another for any other', () => {
    fc.assert(fc.property(value, value, (a, b) => (print(a) === print(b)) === isSame(a, b)))
  })

  test.each<[Value, Value]>([
    ['1', 1n],
    [1n, 1],
    [0, -0],
    [null, 'null'],
    ['', null],
    ['true', true],
    [['a', 'b'], ['ab']],
    [[], null],
    [[null], ['null']],
    ['ab', Buffer.from('ab')],
  ])('tells %o from %o', (a, b) => {
    expect(print(a)).not.toBe(print(b))
  })

  test('is keyed, and differs by field', () => {
    const other = createFingerprinter(`another ${SECRET}`, mapping.fields)
    expect(other.fingerprint('f', 'x')).not.toBe(print('x'))
    expect(fingerprinter.fingerprint('g', 'x')).not.toBe(print('x'))
  })

  test('survives the ledger, and garbage there counts as nothing known', () => {
    expect(unpackFingerprints(packFingerprints(known))).toEqual(known)
    expect(unpackFingerprints('garbage').size).toBe(0)
  })
})
