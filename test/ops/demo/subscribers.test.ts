import { expect, test } from 'vitest'
import { BEHIND_SECONDS, SubscriberTracker } from '../../../ops/demo/view/subscribers.ts'

const tracker = () => new SubscriberTracker('store', 'shopify', 10)

test('a subscriber is down while the breaker of any of its classes is open', () => {
  const store = tracker()
  store.breaker('critical', 'open', 1_000)
  store.breaker('standard', 'open', 1_000)
  store.breaker('critical', 'closed', 2_000)
  expect(store.view(2_000).state).toBe('down')
  store.breaker('standard', 'probing', 3_000)
  expect(store.view(3_000).state).toBe('down')
  store.breaker('standard', 'closed', 4_000)
  expect(store.view(4_000).state).toBe('ok')
})

test('what is tried again shows for three seconds, and many waiting records are a catching up', () => {
  const store = tracker()
  store.answered('unchanged', 0)
  expect(store.view(0).state).toBe('ok')
  store.answered('blocked', 0)
  expect(store.view(2_999).state).toBe('retrying')
  expect(store.view(3_000).state).toBe('ok')
  store.setBehind(26, 4_000)
  expect(store.view(4_000).state).toBe('catching-up')
})

test('the history holds the last number of each second, and what nobody told is as before', () => {
  const store = tracker()
  store.setBehind(5, 1_000)
  store.setBehind(7, 1_900)
  store.setBehind(2, 4_000)
  expect(store.view(5_500).behindHistory.slice(-6)).toEqual([0, 7, 7, 7, 2, 2])
  for (let second = 0; second < 1_000; second++) store.setBehind(second, second * 1_000)
  const { behindHistory } = store.view(999_000)
  expect(behindHistory).toHaveLength(BEHIND_SECONDS)
  expect(behindHistory.at(-1)).toBe(999)
})

test('an outage tells how long it was, how much waited, and how long catching up took', () => {
  const store = tracker()
  store.setBehind(1, 0)
  store.breaker('critical', 'open', 10_000)
  store.setBehind(40, 20_000)
  expect(store.view(20_000).outage).toEqual({ downMs: 10_000, behindMost: 40, caughtUpMs: null })
  store.breaker('critical', 'closed', 30_000)
  store.setBehind(60, 30_500)
  store.setBehind(2, 31_000)
  store.setBehind(50, 32_000)
  expect(store.view(40_000).outage).toEqual({ downMs: 20_000, behindMost: 60, caughtUpMs: 1_000 })
  expect(store.view(92_000).outage).toBeNull()
})

test('a breaker that opens again before it caught up goes on with the same outage', () => {
  const store = tracker()
  store.breaker('critical', 'open', 0)
  store.setBehind(40, 1_000)
  store.breaker('critical', 'closed', 2_000)
  store.breaker('critical', 'open', 3_000)
  expect(store.view(5_000).outage).toEqual({ downMs: 5_000, behindMost: 40, caughtUpMs: null })
})
