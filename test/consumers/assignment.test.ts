import { expect, test } from 'vitest'
import { Assignment } from '../../consumers/assignment.ts'
import type { Ledger } from '../../consumers/ledger/ledger.ts'
import { Membership } from '../../consumers/membership.ts'

function ledgerThat() {
  const claims: string[] = []
  const ledger = {
    connection: 1,
    async claim(_scope: unknown, token: string) {
      claims.push(token)
    },
  }
  return { ledger: ledger as unknown as Ledger & { connection: number }, claims }
}

const newAssignment = () => new Assignment('p.customer', 0, { subscriber: 'crm', entity: 'customer', partition: 0 })
const never = () => new Promise<boolean>(() => {})

test('a fresh assignment claims its scope once, whoever asks at the same time', async () => {
  const { ledger, claims } = ledgerThat()
  const assignment = newAssignment()
  const [first, second] = await Promise.all([assignment.token(ledger, never), assignment.token(ledger, never)])
  expect(first).toBe(second)
  expect(claims).toEqual([first])
})

test('a refused owner takes the scope again only after a fresh heartbeat, and under another token', async () => {
  const { ledger, claims } = ledgerThat()
  const assignment = newAssignment()
  const membership = new Membership(10_000, () => 0)
  const first = await assignment.token(ledger, never)
  assignment.refused(first)
  const again = assignment.token(ledger, () => membership.next())
  await new Promise((resolve) => setImmediate(resolve))
  expect(claims).toHaveLength(1)
  membership.confirmed()
  expect(await again).not.toBe(first)
  expect(claims).toHaveLength(2)
})

test('an owner that was woken, not confirmed, or whose assignment is over claims nothing', async () => {
  const { ledger, claims } = ledgerThat()
  const assignment = newAssignment()
  assignment.refused(await assignment.token(ledger, never))
  expect(await assignment.token(ledger, async () => false)).toBe('')
  assignment.active = false
  expect(await assignment.token(ledger, async () => true)).toBe('')
  expect(claims).toHaveLength(1)
})

test('a new connection to the ledger needs a new token: a late command of the old one must count for nothing', async () => {
  const { ledger } = ledgerThat()
  const assignment = newAssignment()
  const first = await assignment.token(ledger, never)
  ledger.connection = 2
  expect(await assignment.token(ledger, async () => true)).not.toBe(first)
})

test('a member out of touch for the session time-out is fenced until it is confirmed', () => {
  let now = 0
  const membership = new Membership(10_000, () => now)
  expect(membership.inTouch).toBe(false)
  membership.confirmed()
  now = 9_999
  expect(membership.inTouch).toBe(true)
  now = 10_000
  expect(membership.inTouch).toBe(false)
})

test('the lag counts from the lowest unfinished record, also while none has finished', () => {
  const assignment = newAssignment()
  assignment.high = 100n
  expect(assignment.lag).toBe(0)
  const first = assignment.offsets.add(40n)
  const second = assignment.offsets.add(60n)
  expect(assignment.lag).toBe(60)
  assignment.offsets.finish(first)
  expect(assignment.lag).toBe(40)
  assignment.offsets.finish(second)
  expect(assignment.lag).toBe(0)
})
