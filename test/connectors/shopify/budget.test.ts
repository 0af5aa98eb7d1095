import { describe, expect, test } from 'vitest'
import { bucketAfter, budgetOf, throttledForMs } from '../../../connectors/shopify/budget.ts'
import { IdCache } from '../../../connectors/shopify/id-cache.ts'

const told = (available: number, requested = 10) => ({
  extensions: {
    cost: {
      requestedQueryCost: requested,
      throttleStatus: { maximumAvailable: 2000, currentlyAvailable: available, restoreRate: 100 },
    },
  },
})

describe('the budget', () => {
  test('is not known before the store has told it', () => {
    expect(budgetOf(null, 0)).toBeNull()
    expect(bucketAfter(null, { data: {} }, 0)).toBeNull()
    expect(
      bucketAfter(
        null,
        { extensions: { cost: { throttleStatus: { maximumAvailable: 0, currentlyAvailable: 1, restoreRate: 0 } } } },
        0,
      ),
    ).toBeNull()
  })

  test('fills up with time, and never beyond its maximum', () => {
    const bucket = bucketAfter(null, told(500), 1_000)
    expect(budgetOf(bucket, 1_000)).toEqual({ left: 0.25, moreInMs: 0, requestsMax: null })
    expect(budgetOf(bucket, 6_000)!.left).toBe(0.5)
    expect(budgetOf(bucket, 1e9)!.left).toBe(1)
  })

  test('is nothing while it does not pay for a request, and says when it does', () => {
    const bucket = bucketAfter(bucketAfter(null, told(500, 60), 0), told(10, 10), 0)
    expect(budgetOf(bucket, 0)).toEqual({ left: 0, moreInMs: 500, requestsMax: null })
    expect(budgetOf(bucket, 499)!.left).toBe(0)
    expect(budgetOf(bucket, 500)!.left).toBe(0.03)
  })

  test('is kept when an answer does not tell it', () => {
    const bucket = bucketAfter(null, told(500), 0)
    expect(bucketAfter(bucket, { data: null }, 5)).toBe(bucket)
    expect(bucketAfter(bucket, undefined, 5)).toBe(bucket)
  })
})

test('a throttled request waits for the points it lacks, a bounded time', () => {
  expect(throttledForMs(told(100, 400))).toBe(3_000)
  expect(throttledForMs(told(400, 100))).toBe(0)
  expect(throttledForMs({})).toBe(1_000)
  expect(throttledForMs(told(0, 1e9))).toBe(60_000)
})

describe('the cache of ids', () => {
  test('holds a bounded number, those used last', () => {
    const cache = new IdCache(() => 0)
    for (let at = 0; at < 20_000; at++) cache.keep('product', String(at), { id: String(at) })
    cache.get('product', '0')
    cache.keep('product', 'one more', { id: 'x' })
    expect(cache.size).toBe(20_000)
    expect(cache.get('product', '0')).toEqual({ id: '0' })
    expect(cache.get('product', '1')).toBeUndefined()
  })

  test('forgets after ten minutes, and keeps targets apart', () => {
    let now = 0
    const cache = new IdCache(() => now)
    cache.keep('product', 'a', { id: '1' })
    expect(cache.get('customer', 'a')).toBeUndefined()
    now = 599_999
    expect(cache.get('product', 'a')).toEqual({ id: '1' })
    now = 600_000
    expect(cache.get('product', 'a')).toBeUndefined()
  })
})
