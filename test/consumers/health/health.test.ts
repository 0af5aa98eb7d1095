import { describe, expect, test } from 'vitest'
import type { Budget, Outcome } from '../../../connectors/destination.ts'
import { BREAKER, Breaker } from '../../../consumers/health/breaker.ts'
import { Concurrency } from '../../../consumers/health/concurrency.ts'
import { Health, REST_MS_MAX } from '../../../consumers/health/health.ts'

const APPLIED: Outcome = { kind: 'applied' }
const DOWN: Outcome = { kind: 'unavailable', error: new Error('down') }
const throttled = (afterMs: number): Outcome => ({ kind: 'throttled', afterMs })

function health(options: { budget?: () => Budget | null; reserve?: number; requestsMax?: number } = {}) {
  return new Health({ breaker: BREAKER, requestsMax: 16, reserve: 0, budget: () => null, ...options })
}

describe('a breaker', () => {
  test('opens after so many failures in a row, lets one probe through at growing intervals, and closes with one answer', () => {
    const breaker = new Breaker(BREAKER)
    for (let failure = 1; failure < BREAKER.failures; failure++) breaker.failed(0, 1)
    expect([breaker.state, breaker.waitMs(0)]).toEqual(['closed', 0])
    breaker.failed(0, 1)
    expect([breaker.state, breaker.waitMs(0)]).toEqual(['open', 1_000])
    const waits = []
    let now = 1_000
    for (let probe = 0; probe < 7; probe++) {
      expect(breaker.waitMs(now)).toBe(0)
      breaker.begin()
      expect([breaker.state, breaker.waitMs(now)]).toEqual(['probing', Number.POSITIVE_INFINITY])
      breaker.failed(now, 1)
      waits.push(breaker.waitMs(now))
      now += breaker.waitMs(now)
    }
    expect(waits).toEqual([2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
    breaker.begin()
    breaker.succeeded()
    expect([breaker.state, breaker.waitMs(now)]).toEqual(['closed', 0])
  })

  test('is not moved by what was under way when it opened', () => {
    const breaker = new Breaker(BREAKER)
    for (let failure = 0; failure < 50; failure++) breaker.failed(0, 1)
    expect(breaker.waitMs(0)).toBe(1_000)
  })
})

describe('concurrency', () => {
  test('grows while its room is used and all goes well, never above what is declared', () => {
    const concurrency = new Concurrency(100)
    expect(concurrency.limit).toBe(8)
    for (let answer = 0; answer < 5; answer++) concurrency.answered(3)
    expect(concurrency.limit).toBe(8)
    for (let answer = 0; answer < 1_000; answer++) concurrency.answered(concurrency.limit)
    expect(concurrency.limit).toBe(100)
  })

  test('halves with trouble, once for what is under way, and never ends', () => {
    const concurrency = new Concurrency(100)
    for (let answer = 0; answer < 1_000; answer++) concurrency.answered(concurrency.limit)
    for (let failure = 0; failure < 50; failure++) concurrency.trouble(0)
    expect(concurrency.limit).toBe(50)
    for (let second = 2; second < 40; second++) concurrency.trouble(second * 1_000)
    expect(concurrency.limit).toBe(1)
    for (let answer = 0; answer < 20_000; answer++) concurrency.answered(concurrency.limit)
    expect(concurrency.limit).toBe(100)
  })
})

describe('health', () => {
  test('a destination is left alone for as long as it asks, and for longer each time when it does not say', () => {
    const asked = health()
    asked.ended('customer', [APPLIED, throttled(5_000)], 1, 0, 1)
    expect(asked.waitMs(0)).toBe(5_000)
    asked.ended('customer', [throttled(Number.MAX_SAFE_INTEGER)], 1, 0, 1)
    expect(asked.waitMs(0)).toBe(REST_MS_MAX)
    const silent = health()
    const waits = [0, 1, 2].map((step) => {
      silent.ended('customer', [throttled(0)], 1, step * 100_000, 1)
      return silent.waitMs(step * 100_000)
    })
    expect(waits).toEqual([100, 200, 400])
  })

  test('one record is asked about at a time while the breaker is not closed', () => {
    const down = health()
    for (let failure = 0; failure < BREAKER.failures; failure++) down.ended('customer', [DOWN, DOWN], 1, 0, 1)
    expect([down.state, down.limit, down.recordsMax]).toEqual(['open', 1, 1])
    // An answer for one of several records is an answer.
    down.begin()
    down.ended('customer', [DOWN, APPLIED], 1, 2_000, 1)
    expect([down.state, down.recordsMax]).toEqual(['closed', Number.POSITIVE_INFINITY])
  })

  test('a class that has to leave a share of the allowance stops there, one that has not goes on to the end', () => {
    const budget = { left: 0.5, moreInMs: 1_000, requestsMax: 3 }
    const standard = health({ budget: () => budget, reserve: 0.2 })
    const critical = health({ budget: () => budget })
    expect([standard.waitMs(0), critical.waitMs(0), standard.limit]).toEqual([0, 0, 3])
    budget.left = 0.2
    expect([standard.waitMs(0), critical.waitMs(0)]).toEqual([1_000, 0])
    budget.left = 0
    expect([standard.waitMs(0), critical.waitMs(0)]).toEqual([1_000, 1_000])
  })

  test('a request that was not made says nothing, and frees the way for the next probe', () => {
    const down = health()
    for (let failure = 0; failure < BREAKER.failures; failure++) down.ended('customer', [DOWN], 1, 0, 1)
    down.begin()
    expect(down.waitMs(5_000)).toBe(Number.POSITIVE_INFINITY)
    down.ended('customer', [], 1, 5_000, 1)
    expect([down.state, down.waitMs(5_000)]).toEqual(['open', 0])
  })
})
