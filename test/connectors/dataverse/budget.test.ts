import { expect, it } from 'vitest'
import { budgetOf, told } from '../../../connectors/dataverse/budget.ts'

const headers = (requests: string, seconds: string) => ({
  'x-ms-ratelimit-burst-remaining-xrm-requests': requests,
  'x-ms-ratelimit-time-remaining-xrm-requests': seconds,
})

it('is whole while nothing was told', () => {
  expect(budgetOf(told(null, 200, {}, 0), 0)).toEqual({ left: 1, moreInMs: 0, requestsMax: 52 })
})

it('is what is scarcer, requests or time, and comes back over five minutes', () => {
  const last = told(null, 204, headers('3000', '1,080.00'), 1000)
  expect(budgetOf(last, 1000).left).toBe(0.5)
  expect(budgetOf(last, 31_000).left).toBeCloseTo(0.6)
  expect(budgetOf(last, 400_000).left).toBe(1)
  expect(budgetOf(told(null, 204, headers('6000', '120.5'), 0), 0).left).toBeCloseTo(0.1004)
})

it('stays nothing until a whole request has come back, and says when', () => {
  const last = told(null, 204, headers('0', '1000'), 1000)
  expect(budgetOf(last, 1000)).toEqual({ left: 0, moreInMs: 50, requestsMax: 52 })
  expect(budgetOf(last, 1001)).toEqual({ left: 0, moreInMs: 49, requestsMax: 52 })
  expect(budgetOf(last, 1050)).toEqual({ left: 1 / 6000, moreInMs: 0, requestsMax: 52 })
})

it('is nothing until the time of Retry-After, whatever a request that was under way is told meanwhile', () => {
  const refused = told(null, 429, { 'retry-after': '30' }, 1000)
  const later = told(refused, 204, headers('5000', '1000'), 2000)
  expect(budgetOf(later, 2000)).toEqual({ left: 0, moreInMs: 29_000, requestsMax: 52 })
  expect(budgetOf(later, 31_000).left).toBeGreaterThan(0.8)
})

it('takes no notice of headers that are no numbers', () => {
  expect(told(null, 200, headers('many', ''), 0)?.left ?? 1).not.toBeNaN()
})
