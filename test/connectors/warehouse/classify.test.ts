import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { classify, verdictOf, withoutValues } from '../../../connectors/warehouse/classify.ts'
import { TributaryError } from '../../../schemas/errors.ts'

function serverError(code: string, severity = 'ERROR', more: Record<string, unknown> = {}): Error {
  const error = new Error('Key (email)=(secret@example.com) already exists')
  error.name = 'PostgresError'
  return Object.assign(error, { code, severity, detail: 'secret', where: 'secret', parameters: ['secret'], ...more })
}

function networkError(code: string): Error {
  return Object.assign(new Error(code), { code })
}

describe('what an SQLSTATE means before COMMIT was sent', () => {
  it.each([
    ['22003', 'refused'],
    ['22P02', 'refused'],
    ['22021', 'refused'],
    ['22P05', 'refused'],
    ['21000', 'refused'],
    ['23502', 'refused'],
    ['23505', 'refused'],
    ['23514', 'refused'],
    ['44000', 'refused'],
    ['54000', 'refused'],
    ['P0001', 'refused'],
    ['40001', 'conflict'],
    ['40P01', 'conflict'],
    ['0A000', 'unavailable'],
    ['08006', 'unavailable'],
    ['25006', 'unavailable'],
    ['25P03', 'unavailable'],
    ['28P01', 'unavailable'],
    ['3D000', 'unavailable'],
    ['42501', 'unavailable'],
    ['42703', 'unavailable'],
    ['42804', 'unavailable'],
    ['42P01', 'unavailable'],
    ['42P10', 'unavailable'],
    ['53100', 'unavailable'],
    ['53300', 'unavailable'],
    ['55P03', 'unavailable'],
    ['57014', 'unavailable'],
    ['57P01', 'unavailable'],
    ['57P03', 'unavailable'],
    ['58030', 'unavailable'],
    ['XX000', 'unavailable'],
    ['QQ123', 'unavailable'],
    ['08007', 'unknown'],
    ['40003', 'unknown'],
  ] as const)('%s is %s', (state, kind) => {
    expect(classify(serverError(state), false).kind).toBe(kind)
  })
})

describe('what it means once COMMIT was sent', () => {
  it.each([
    // An ERROR in answer to COMMIT says that it was rolled back.
    ['23505', 'ERROR', 'refused'],
    ['40001', 'ERROR', 'conflict'],
    ['57014', 'ERROR', 'unavailable'],
    ['57P01', 'FATAL', 'unknown'],
    ['25P03', 'FATAL', 'unknown'],
    ['53100', 'PANIC', 'unknown'],
  ] as const)('%s %s is %s', (state, severity, kind) => {
    expect(classify(serverError(state, severity), true).kind).toBe(kind)
  })
})

describe('errors that are not the server’s', () => {
  it.each(['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'CONNECT_TIMEOUT', 'CONNECTION_CLOSED', 'CONNECTION_DESTROYED'])(
    '%s is unavailable before COMMIT and unknown after it',
    (code) => {
      expect(classify(networkError(code), false)).toMatchObject({
        kind: 'unavailable',
        error: { code: 'destination-unreachable' },
      })
      expect(classify(networkError(code), true).kind).toBe('unknown')
    },
  )

  it('a deadline keeps its own message', () => {
    const error = new TributaryError('destination-unreachable', 'no answer')
    expect(classify(error, false)).toEqual({ kind: 'unavailable', error })
    expect(classify(error, true)).toEqual({ kind: 'unknown', error })
  })

  it.each([undefined, null, 'text', 7, new TypeError('defect')])('%s is a defect, and nobody’s fault', (thrown) => {
    expect(classify(thrown, false)).toMatchObject({ kind: 'unavailable', error: { code: 'invariant-broken' } })
  })
})

it('a missing table, column or right is the configuration’s fault', () => {
  for (const state of ['42P01', '42703', '42501'])
    expect(classify(serverError(state), false)).toMatchObject({ error: { code: 'destination-unsuitable' } })
})

it('a refusal names table, column and constraint', () => {
  const where = { table_name: 'customers', constraint_name: 'customers_email_key', column_name: 'email' }
  expect(classify(serverError('23505', 'ERROR', where), false)).toEqual({
    kind: 'refused',
    code: '23505',
    reason: 'unique_violation (table customers, column email, constraint customers_email_key)',
    blockedBy: '',
  })
})

it('a reference that is missing, or still there, names the table that is waited for, and no value', () => {
  const waitsFor = (detail: string) =>
    classify(Object.assign(serverError('23503'), { detail }), false) as { blockedBy: string | null }
  expect(waitsFor('Key (customer_id)=(x "y") is not present in table "customers".').blockedBy).toBe('customers')
  expect(waitsFor('Schlüssel (id)=(5) wird noch aus Tabelle »"orders"« verwiesen.').blockedBy).toBe('orders')
  expect(waitsFor('').blockedBy).toBe('')
  expect(classify(serverError('23514'), false)).toMatchObject({ kind: 'refused', blockedBy: null })
})

it('no value of a record gets into what is kept of an error', () => {
  for (const state of ['23505', '42703', '40001', '57P01', '08007'])
    for (const commitSent of [false, true])
      expect(inspect(classify(serverError(state), commitSent), { depth: 10, showHidden: true })).not.toContain('secret')
  expect(inspect(withoutValues(serverError('23505')), { showHidden: true })).not.toContain('secret')
})

it('a state of its own wins over its class', () => {
  expect(verdictOf('40003')).toBe('unknown')
  expect(verdictOf('40001')).toBe('conflict')
})
