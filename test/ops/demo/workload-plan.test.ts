import { expect, test } from 'vitest'
import { digitTemplate } from '../../../ops/demo/erp/rows.ts'
import { type Action, CUSTOMERS_LEFT_ALONE, OPEN_ORDERS_MAX, WorkloadPlan } from '../../../ops/demo/workload/plan.ts'

const GROUND = {
  customers: { first: 1, last: 5_000 },
  products: { first: 1, last: 300 },
  locations: ['Gdańsk', 'Hamburg', 'Lyon'],
}

function plan(seed: number): WorkloadPlan {
  let orders = 0
  return new WorkloadPlan(GROUND, seed, () => `order-${++orders}`)
}

function run(seed: number, count: number): readonly Action[] {
  const workload = plan(seed)
  return Array.from({ length: count }, () => {
    const action = workload.next()
    workload.settle(action, 'done')
    return action
  })
}

test('the same seed plans the same business, another seed another', () => {
  expect(run(7, 500)).toEqual(run(7, 500))
  expect(run(8, 500)).not.toEqual(run(7, 500))
})

test('every kind of business happens', () => {
  expect([...new Set(run(1, 3_000).map(({ kind }) => kind))].sort()).toEqual([
    'address-changed',
    'credit-raised',
    'customer-added',
    'invoice-issued',
    'invoice-paid',
    'order-cancelled',
    'order-confirmed',
    'order-created',
    'order-deleted',
    'order-shipped',
    'phone-changed',
    'price-changed',
    'rolled-back',
    'stock-counted',
  ])
})

test('an order takes one step at a time, in order, and an undone step comes again', () => {
  const workload = plan(3)
  const underWay = new Set<string>()
  const steps = new Map<string, string[]>()
  for (let n = 0; n < 4_000; n++) {
    const action = workload.next()
    if (!('order' in action)) continue
    const id = action.order.orderId
    expect(underWay.has(id)).toBe(false)
    underWay.add(id)
    const how = n % 5 === 0 ? 'undone' : 'done'
    if (how === 'done') steps.set(id, [...(steps.get(id) ?? []), action.kind])
    underWay.delete(id)
    workload.settle(action, how)
  }
  const ways = new Set([...steps.values()].map((way) => way.join(' ')))
  const whole = 'order-created order-confirmed order-shipped invoice-issued invoice-paid'
  expect(ways).toContain(whole)
  for (const way of ways) {
    const straight = way.replace(/ order-cancelled( order-deleted)?$/, '')
    expect(whole.startsWith(straight)).toBe(true)
  }
})

test('an order whose fate is unknown is not followed any more', () => {
  const workload = plan(3)
  for (let n = 0; n < 200; n++) workload.settle(workload.next(), 'unknown')
  expect('from' in workload.next()).toBe(false)
})

test('the customers with the lowest numbers are left to the person who watches', () => {
  const changed = run(5, 5_000).flatMap((action) =>
    action.kind === 'credit-raised' || action.kind === 'address-changed' || action.kind === 'phone-changed'
      ? [action.customerId]
      : [],
  )
  expect(changed.length).toBeGreaterThan(100)
  expect(Math.min(...changed)).toBeGreaterThan(CUSTOMERS_LEFT_ALONE)
  expect(Math.max(...changed)).toBeLessThanOrEqual(5_000)
})

test('stock rows of one transaction are distinct and in key order, so that no two transactions wait for each other', () => {
  for (const action of run(6, 2_000)) {
    const lines = 'lines' in action ? action.lines : 'order' in action ? action.order.lines : []
    const keys = lines.map(({ productId, location }) => `${String(productId).padStart(6, '0')} ${location}`)
    expect(keys).toEqual([...new Set(keys)].sort())
  }
})

test('open orders are remembered up to a bound', () => {
  const workload = plan(9)
  const created: Action[] = []
  while (created.length <= OPEN_ORDERS_MAX) {
    const action = workload.next()
    if (action.kind === 'order-created') created.push(action)
    else workload.settle(action, 'undone')
  }
  for (const action of created) workload.settle(action, 'done')
  const first = created[0]
  for (let n = 0; n < 20_000; n++) {
    const action = workload.next()
    if ('from' in action && first?.kind === 'order-created') expect(action.order.orderId).not.toBe(first.order.orderId)
  }
})

test('a digit pattern becomes a to_char template and the number of its values', () => {
  expect(digitTemplate('DE###')).toEqual({ template: 'FM"DE"000', modulus: 1_000 })
  expect(digitTemplate('LS1 #DB')).toEqual({ template: 'FM"LS1 "0"DB"', modulus: 10 })
})
