import { expect, test } from 'vitest'
import { VERSION_HEADER } from '../../schemas/deletion.ts'
import { KEY_BYTES_MAX } from '../../schemas/key.ts'
import { recordKey, recordVersion } from '../../schemas/record-head.ts'

test('a key is text of a bounded length; anything else is none', () => {
  expect(recordKey(Buffer.from('K-1 ✓'))).toBe('K-1 ✓')
  const none = [null, Buffer.alloc(0), Buffer.from([0xff]), Buffer.alloc(KEY_BYTES_MAX + 1, 'k')]
  for (const key of none) expect(recordKey(key)).toBeUndefined()
})

test('the version of a delete is in its header, as text or bytes', () => {
  const version = { epoch: 1n, position: 25n, ordinal: 3 }
  expect(recordVersion(null, { [VERSION_HEADER]: '1/25/3' })).toEqual(version)
  expect(recordVersion(null, { [VERSION_HEADER]: Buffer.from('1/25/3') })).toEqual(version)
})

test('a null written by hand has no version, nor has a value that is no delta', () => {
  expect(recordVersion(null, {})).toBeUndefined()
  expect(recordVersion(null, { [VERSION_HEADER]: '0/25/3' })).toBeUndefined()
  expect(recordVersion(null, { [VERSION_HEADER]: ['1/25/3', '1/26/3'] as unknown as string })).toBeUndefined()
  expect(recordVersion(Buffer.from('{"id":1}'), { [VERSION_HEADER]: '1/25/3' })).toBeUndefined()
})
