import { expect, test } from 'vitest'
import { freeMemory, LargeValue, markAsOwnMemory } from '../../schemas/large-value.ts'

/** Several parts, and a last one that is short. */
const CONTENT = Buffer.from(Array.from({ length: 700_001 }, (_, index) => (index * 31) % 251))
const hexOf = (content: Buffer) => Buffer.from(content.toString('hex'))

test.each([
  ['utf8', CONTENT],
  ['hex', hexOf(CONTENT)],
] as const)('the parts of a value in %s form are its canonical bytes', (form, view) => {
  const value = new LargeValue(view, form)
  expect(value.bytes).toBe(CONTENT.length)
  const parts = [...value.chunks()].map((part) => part.length)
  expect(Math.max(...parts)).toBeLessThanOrEqual(256 * 1024)
  const read: Buffer[] = []
  for (const part of value.chunks()) read.push(Buffer.from(part))
  expect(Buffer.concat(read).equals(CONTENT)).toBe(true)
})

test.each([0, 100_000, 2 * CONTENT.length - 1])('what is not a hexadecimal digit, at %i, is an error', (at) => {
  const view = hexOf(CONTENT)
  view[at] = 0x67
  expect(() => [...new LargeValue(view, 'hex').chunks()]).toThrow('hexadecimal')
})

test.each(['utf8', 'hex'] as const)(
  'a value in %s form that is freed while it is read is never read as a shorter one',
  (form) => {
    const view = Buffer.from(form === 'utf8' ? CONTENT : hexOf(CONTENT))
    const message = Buffer.allocUnsafeSlow(view.length)
    view.copy(message)
    markAsOwnMemory(message)
    const value = new LargeValue(message, form)
    const chunks = value.chunks()
    const first = chunks.next().value as Buffer
    value.free()
    expect(message.length).toBe(0)
    // What a writer still has in hand stays as it is.
    expect(first.equals(CONTENT.subarray(0, first.length))).toBe(true)
    expect(() => chunks.next()).toThrow('freed')
    expect(() => [...value.chunks()]).toThrow('freed')
    value.free()
    freeMemory(message)
  },
)

test('a value in memory that others may use is not freed', () => {
  const value = new LargeValue(CONTENT, 'utf8')
  value.free()
  expect([...value.chunks()].length).toBeGreaterThan(1)
})
