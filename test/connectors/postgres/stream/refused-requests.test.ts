import { expect, test } from 'vitest'
import type { Notice } from '../../../../connectors/postgres/notice.ts'
import { tellRefused } from '../../../../connectors/postgres/stream/refused-requests.ts'

test('a kind of refused request is told at most once a minute, whatever else is told', () => {
  const notices: Notice[] = []
  let seconds = 100n
  const refused = tellRefused(
    'shop',
    (notice) => notices.push(notice),
    () => seconds * 1_000_000n,
  )
  for (; seconds < 160n; seconds++) for (const problem of ['it is not JSON', 'its id is wrong']) refused(problem)
  expect(notices.map(({ code, message }) => [code, message.split(': ').at(-1)])).toEqual([
    ['request-refused', 'it is not JSON'],
    ['request-refused', 'its id is wrong'],
  ])
  refused('it is not JSON')
  expect(notices).toHaveLength(3)
})
