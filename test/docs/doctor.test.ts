import { expect, test } from 'vitest'
import { CHECK_NAMES } from '../../ops/doctor/checks.ts'
import { readPages } from './pages.ts'

const page = readPages().find(({ path }) => path === 'docs/operating/doctor.md')!

test('every check has its row, in the order of the checks, with what it looks at and what to do', () => {
  const rows = page.text
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split(' | ').map((cell) => cell.replaceAll(/^\| | \|$/g, '').trim()))
  expect(rows.map(([name]) => name)).toEqual(CHECK_NAMES.map((name) => `\`${name}\``))
  for (const cells of rows) {
    expect(cells).toHaveLength(3)
    for (const cell of cells) expect(cell).not.toBe('')
  }
})
