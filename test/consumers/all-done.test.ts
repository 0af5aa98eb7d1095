import { expect, test } from 'vitest'
import { allDone } from '../../consumers/item.ts'

test('one partition whose ledger call fails does not end the round while another is still under way', async () => {
  const slow = Promise.withResolvers<void>()
  let ended = false
  const all = allDone([Promise.reject(new Error('the ledger is away')), slow.promise]).finally(() => {
    ended = true
  })
  all.catch(() => {})
  await new Promise((resolve) => setImmediate(resolve))
  expect(ended).toBe(false)
  slow.resolve()
  await expect(all).rejects.toThrowError('the ledger is away')
})
