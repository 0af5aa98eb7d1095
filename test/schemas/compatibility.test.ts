import { expect, test } from 'vitest'
import { deltaSchema } from '../../schemas/avro.ts'
import { incompatibilities } from '../../schemas/compatibility.ts'
import { entityOf } from './sample.ts'

function schemaOf(type: string | undefined, key = 'id') {
  const fields = { id: 'int64', region: 'string', ...(type === undefined ? {} : { amount: type }) }
  return deltaSchema('shop', { ...entityOf('order', fields), key: key.split('+') })
}

test.each([
  ['decimal(12,2)', 'decimal(12,4)', 'powers of ten'],
  ['decimal(12,2)', 'decimal(14,2)', 'two precisions'],
  ['decimal(12,2)', 'numeric', 'read as something else'],
  ['decimal(12,2)', 'bytes', 'mean something else'],
  ['string', 'int64', 'read as something else'],
  ['string', 'uuid', 'mean something else'],
  ['timestamp', 'timestamptz', 'mean something else'],
  ['date', 'timestamptz', 'read as something else'],
  ['int64', 'time', 'mean something else'],
  ['string', 'string[]', 'a list and a single value'],
  ['string[]', 'int64[]', 'read as something else'],
  ['double', 'int64', 'read as something else'],
])('%s cannot become %s, and the message says so in the words of the declaration', (before, after, reason) => {
  const [problem, ...others] = incompatibilities([schemaOf(before)], schemaOf(after))
  expect(others).toStrictEqual([])
  expect(problem!.field).toBe('amount')
  expect(problem!.why).toContain(`\`amount\` was ${before} and would become ${after}: `)
  expect(problem!.why).toContain(reason)
  expect(problem!.suggestion).toContain(`leave \`amount\` as ${before}`)
})

test.each([
  ['int32', 'int64'],
  ['int64', 'int32'],
  ['string', 'json'],
  ['enum(a,b)', 'enum(a,b,c)'],
  ['enum(a,b)', 'string'],
  ['numeric', 'string'],
])('%s may become %s: the bytes are the same', (before, after) => {
  expect(incompatibilities([schemaOf(before)], schemaOf(after))).toStrictEqual([])
})

test('fields may be added and removed, and nothing stands against the first schema', () => {
  expect(incompatibilities([], schemaOf('string'))).toStrictEqual([])
  expect(incompatibilities([schemaOf(undefined)], schemaOf('string'))).toStrictEqual([])
  expect(incompatibilities([schemaOf('string')], schemaOf(undefined))).toStrictEqual([])
})

test('a field that was removed comes back as it was, or not at all', () => {
  const registered = [schemaOf('string'), schemaOf(undefined)]
  expect(incompatibilities(registered, schemaOf('string'))).toStrictEqual([])
  expect(incompatibilities(registered, schemaOf('int64'))).toHaveLength(1)
})

test('another key is refused, and so is another type for a field of the key', () => {
  const [key] = incompatibilities([schemaOf('string')], schemaOf('string', 'id+region'))
  expect(key).toMatchObject({ field: 'key', why: expect.stringContaining('was `id` and would become `id`, `region`') })
  const text = deltaSchema('shop', entityOf('order', { id: 'string', region: 'string' }))
  const [field] = incompatibilities([schemaOf('string')], text)
  expect(field).toMatchObject({ field: 'id', suggestion: expect.stringContaining('part of the key') })
})

test('each field is named once, with what it was last', () => {
  const problems = incompatibilities([schemaOf('string'), schemaOf('double'), schemaOf('double')], schemaOf('int64'))
  expect(problems.map(({ why }) => why)).toStrictEqual([
    '`amount` was double and would become int64: the bytes of old records would be read as something else',
  ])
})

test('a subject that holds something else is refused', () => {
  const other = deltaSchema('other', entityOf('order', { id: 'int64' }))
  const next = deltaSchema('shop', entityOf('order', { id: 'int64' }))
  const version = { type: 'record', name: 'V', fields: [{ name: 'epoch', type: 'int' }] }
  const parts = next.fields as { name: string }[]
  const envelope = {
    ...next,
    fields: parts.map((part) => (part.name === 'version' ? { ...part, type: version } : part)),
  }
  for (const schema of ['string', { type: 'record', name: 'X', fields: [] }, other, envelope])
    expect(incompatibilities([schema], next)).toMatchObject([{ field: 'schema' }])
})
