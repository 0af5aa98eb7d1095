import { describe, expect, it } from 'vitest'
import { matches } from '../../../../ops/dead-letters/subscriber/letters.ts'
import { formatList, letterList } from '../../../../ops/dead-letters/subscriber/list.ts'
import { LetterSummary } from '../../../../ops/dead-letters/subscriber/summary.ts'
import { openLetter, type SampleLetter } from './letters.ts'

const HOUR_MS = 3_600_000
const NOW_MS = Date.parse('2026-11-22T12:00:00Z')
const showKey = (entity: string, key: string) =>
  entity === 'person' ? { text: '•••', masked: true } : { text: key, masked: false }
const ownerOf = (entity: string) => (entity === 'gone' ? undefined : 'sales')

function listOf(letters: readonly (readonly [key: string, SampleLetter])[], limit = 20) {
  const summary = new LetterSummary(limit)
  for (const [key, sample] of letters) summary.add(openLetter(key, sample))
  return letterList('crm', summary, ownerOf, showKey, NOW_MS)
}

describe('the list', () => {
  it('counts by entity and code, retrying and dead apart, with the reason of the oldest and the owner', () => {
    const list = listOf([
      ['1', { sinceMs: NOW_MS - HOUR_MS, reason: 'young' }],
      ['2', { sinceMs: NOW_MS - 3 * HOUR_MS, reason: 'old', state: 'retrying' }],
      ['3', { sinceMs: NOW_MS - 2 * HOUR_MS, reason: 'middle' }],
      ['4', { entity: 'gone', code: 'OTHER', sinceMs: NOW_MS }],
    ])
    expect(list).toMatchObject({ open: 4, dead: 3, retrying: 1, ungrouped: 0 })
    expect(list.groups).toEqual([
      {
        entity: 'customer',
        code: 'INVALID',
        owner: 'sales',
        reason: 'old',
        dead: 2,
        retrying: 1,
        oldestSince: '2026-11-22T09:00:00.000Z',
      },
      {
        entity: 'gone',
        code: 'OTHER',
        owner: null,
        reason: 'refused by a rule',
        dead: 1,
        retrying: 0,
        oldestSince: '2026-11-22T12:00:00.000Z',
      },
    ])
    expect(list.entries.map(({ key }) => key)).toEqual(['2', '3', '1', '4'])
  })

  it('keeps the oldest whatever the order they come in, and no more than the limit', () => {
    const ages = [5, 1, 9, 3, 7, 2, 8, 6, 4]
    const list = listOf(
      ages.map((age) => [String(age), { sinceMs: NOW_MS - age * HOUR_MS }] as const),
      3,
    )
    expect(list.entries.map(({ key }) => key)).toEqual(['9', '8', '7'])
    expect(list.open).toBe(9)
    expect(listOf([['1', {}]], 0).entries).toEqual([])
  })

  it('any number of codes is counted, and a bounded number told apart', () => {
    const list = listOf(
      Array.from({ length: 1_500 }, (_, at) => [String(at), { code: `CODE-${at}` }] as const),
      0,
    )
    expect([list.open, list.groups.length, list.ungrouped]).toEqual([1_500, 1_000, 500])
  })

  it('fits a terminal, masks personal keys, and says what to do next', () => {
    const long = 'a reason that goes on and on, as those of vendors do, '.repeat(4).trim()
    const list = listOf([
      ['42', { entity: 'person', reason: long, sinceMs: NOW_MS - HOUR_MS }],
      ['k'.repeat(200), { code: 'C'.repeat(100), state: 'retrying', sinceMs: NOW_MS - 2 * HOUR_MS }],
      ['\u001b[31m', { code: '\u001b[31m', sinceMs: NOW_MS }],
    ])
    const lines = formatList(list, NOW_MS)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100)
    const text = lines.join('\n')
    expect(text).toContain('3 open dead letters of subscriber crm: 2 dead, 1 retrying.')
    expect(text).toContain('--show-keys')
    expect(text).toContain('tributary dlq replay crm')
    expect(text).not.toMatch(/\b42\b/)
    expect(text).not.toContain('\u001b')
    expect(formatList(listOf([]), NOW_MS)).toEqual(['No open dead letters of subscriber crm match.'])
  })
})

describe('a filter', () => {
  const letter = openLetter('1', { sinceMs: NOW_MS - HOUR_MS, reason: 'Email is not VALID', state: 'retrying' })

  it.each([
    [{}, true],
    [{ entity: 'customer', key: '1', code: 'INVALID', state: 'retrying', reason: 'not valid' }, true],
    [{ olderThanMs: HOUR_MS }, true],
    [{ olderThanMs: HOUR_MS + 1 }, false],
    [{ entity: 'order' }, false],
    [{ key: '2' }, false],
    [{ code: 'INVALID_EMAIL' }, false],
    [{ state: 'dead' }, false],
    [{ reason: 'phone' }, false],
  ] as const)('%j lets through: %s', (filter, wanted) => {
    expect(matches(letter, filter, NOW_MS)).toBe(wanted)
  })
})
