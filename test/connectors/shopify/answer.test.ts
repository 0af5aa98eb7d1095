import { expect, test } from 'vitest'
import { outcomeOf, replyOf } from '../../../connectors/shopify/answer.ts'

test('a limit of one resource keeps that one waiting, and gives nobody else rest', () => {
  const message = 'Daily variant creation limit reached. Please try again later.'
  const body = { data: { productUpdate: { userErrors: [{ field: ['variants'], message }] } } }
  const reply = replyOf('productUpdate', true, { status: 200, headers: {}, body })
  expect(reply.kind).toBe('user-error')
  if (reply.kind === 'user-error') expect(outcomeOf(reply.error)).toMatchObject({ kind: 'unavailable' })
})

test.each([true, false])('503 with Retry-After asks for rest (of a mutation: %s)', (writes) => {
  const reply = replyOf('x', writes, { status: 503, headers: { 'retry-after': '4' }, body: undefined })
  expect(reply).toEqual({ kind: 'failed', outcome: { kind: 'throttled', afterMs: 4000 } })
})
