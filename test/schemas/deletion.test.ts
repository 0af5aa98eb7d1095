import fc from 'fast-check'
import { expect, test } from 'vitest'
import { deletionHeaders, deltaId, HEADER_BYTES_MAX, parseDeletion } from '../../schemas/deletion.ts'
import type { Deletion } from '../../schemas/delta.ts'
import { TributaryError } from '../../schemas/errors.ts'
import { deltaOf, provenances, versions } from './sample.ts'

const { version, source } = deltaOf('order', {})
const deletion: Deletion = { op: 'delete', entity: 'order', key: 'Secret4711', version, source, origin: null }
const good = deletionHeaders(deletion)

function codeOf(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (error instanceof TributaryError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'nothing was thrown'
}

test('any delete comes back from its headers, as text or as bytes', () => {
  fc.assert(
    fc.property(versions, provenances, fc.option(fc.string({ unit: 'grapheme' })), (version, source, origin) => {
      const wellFormed = JSON.parse(JSON.stringify({ ...source, committedAt: 0, capturedAt: 0 }))
      const { committedAt, capturedAt } = source
      const any: Deletion = { ...deletion, version, source: { ...wellFormed, committedAt, capturedAt }, origin }
      const headers = deletionHeaders(any)
      const bytes = Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)]))
      expect(parseDeletion('order', any.key, headers)).toStrictEqual(any)
      expect(parseDeletion('order', any.key, bytes)).toStrictEqual(any)
    }),
  )
})

test('the id is made of source, object and version, and never of the key', () => {
  expect(deltaId(deletion)).toBe('erp/public.orders/1/23456789/0')
  expect(good['tributary-id']).toBe(deltaId(deletion))
  expect(JSON.stringify(good)).not.toContain('Secret4711')
})

const sourceText = good['tributary-source']!

test.each<[string, Record<string, unknown>]>([
  ['no headers at all', {}],
  ['no version', { ...good, 'tributary-version': undefined }],
  ['a version of two parts', { ...good, 'tributary-version': '1/2' }],
  ['a version of epoch 0', { ...good, 'tributary-version': '0/2/0' }],
  ['a version beyond 64 bits', { ...good, 'tributary-version': '1/9999999999999999999/0' }],
  ['no source', { ...good, 'tributary-source': undefined }],
  ['a source that is not JSON', { ...good, 'tributary-source': '{Secret4711' }],
  ['a source that is a list', { ...good, 'tributary-source': '[]' }],
  ['a source without an instance', { ...good, 'tributary-source': sourceText.replace('instance', 'Secret4711') }],
  ['a time that is no number', { ...good, 'tributary-source': sourceText.replace('1763785000000000', 'Secret4711') }],
  ['a time beyond 64 bits', { ...good, 'tributary-source': sourceText.replace('1763785000000000', '9'.repeat(19)) }],
  ['an oversized source', { ...good, 'tributary-source': sourceText.padEnd(HEADER_BYTES_MAX + 1) }],
  ['an origin that is not UTF-8', { ...good, 'tributary-origin': Buffer.from([0xff]) }],
  ['a header that is there twice', { ...good, 'tributary-version': ['1/2/0', '1/3/0'] }],
])('%s is corrupt, and the message has no values', (_what, headers) => {
  const outcome = codeOf(() => parseDeletion('order', 'Secret4711', headers as Record<string, string>))
  expect(outcome).toMatch(/^record-corrupt: a delete of order cannot be read: tributary-/)
  expect(outcome).not.toContain('Secret4711')
})

test('a header larger than its bound is never written', () => {
  const wide = { ...deletion, source: { ...source, object: 'x'.repeat(HEADER_BYTES_MAX) } }
  expect(codeOf(() => deletionHeaders(wide))).toMatch(/^value-unencodable/)
})
