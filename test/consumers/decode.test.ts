import { describe, expect, test } from 'vitest'
import { decode, readHead } from '../../consumers/decode.ts'
import { NO_TRIALS } from '../../consumers/lanes/trials.ts'
import { TributaryError } from '../../schemas/errors.ts'
import { deleteOf, recordOf, sampleDecoder, TOPIC, upsertOf, versionAt } from './fixtures.ts'

const upsert = recordOf(upsertOf('ü 𝄞', 7, { id: 'x', a: '1', b: '1', c: '1' }), 3)
const deletion = recordOf(deleteOf('k', 9), 4)

describe('the head of a record', () => {
  test('is its key and version, without reading its body', () => {
    expect(readHead(upsert)).toEqual({ key: 'ü 𝄞', version: versionAt(7) })
    expect(readHead({ ...upsert, value: upsert.value!.subarray(0, 12) })).toEqual({ key: 'ü 𝄞', version: versionAt(7) })
    expect(readHead(deletion)).toEqual({ key: 'k', version: versionAt(9) })
  })

  test.each([
    ['no key', { ...upsert, key: null }],
    ['an empty key', { ...upsert, key: Buffer.alloc(0) }],
    ['a key that is too long', { ...upsert, key: Buffer.alloc(4_097, 'k') }],
    ['a key that is no UTF-8, which would be the same as others', { ...upsert, key: Buffer.from([0xff, 0xfe]) }],
    ['no delta', { ...upsert, value: Buffer.from('hello, world') }],
    ['an empty value', { ...upsert, value: Buffer.alloc(0) }],
    ['a null that someone wrote by hand', { ...deletion, headers: {} }],
    ['a version that is none', { ...deletion, headers: { 'tributary-version': Buffer.from('1/x/0') } }],
  ])('is nothing with %s', (_what, record) => {
    expect(readHead(record)).toBeNull()
  })
})

describe('a whole record', () => {
  const waitingFor = (record: typeof upsert) => ({
    ...readHead(record)!,
    value: record.value,
    headers: record.headers,
    offset: record.offset,
    tickets: [0],
    trials: NO_TRIALS,
    replays: null,
    onSettled: [],
  })

  test('is a change or a delete', async () => {
    expect(await decode(sampleDecoder(), 'customer', TOPIC, waitingFor(upsert))).toMatchObject({
      op: 'update',
      key: 'ü 𝄞',
      after: { a: '1' },
    })
    expect(await decode(sampleDecoder(), 'customer', TOPIC, waitingFor(deletion))).toMatchObject({
      op: 'delete',
      key: 'k',
    })
  })

  test('that is corrupt is told as such and not thrown; an outage is thrown', async () => {
    const corrupt = await decode(sampleDecoder(), 'customer', TOPIC, {
      ...waitingFor(upsert),
      value: upsert.value!.subarray(0, 20),
    })
    expect(corrupt).toMatchObject({ code: 'record-corrupt' })
    const bare = await decode(sampleDecoder(), 'customer', TOPIC, { ...waitingFor(deletion), headers: {} })
    expect(bare).toBeInstanceOf(TributaryError)
    const away = { decode: () => Promise.reject(new TributaryError('registry-unreachable', 'away')) }
    await expect(decode(away, 'customer', TOPIC, waitingFor(upsert))).rejects.toMatchObject({
      code: 'registry-unreachable',
    })
  })
})
