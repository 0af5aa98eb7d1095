import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { RawRow } from '../../../../connectors/postgres/connection.ts'
import { createCopyRows, parseCopyRow } from '../../../../connectors/postgres/snapshot/copy-row.ts'

const LETTERS: Readonly<Record<string, string>> = {
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
}

/** As the server writes a row of COPY in text format. */
function copyLine(row: readonly (string | null)[]): string {
  return `${row.map((value) => (value === null ? '\\N' : value.replace(/[\b\f\n\r\t\v\\]/g, (one) => LETTERS[one]!))).join('\t')}\n`
}

function texts(row: RawRow): readonly (string | null)[] {
  return row.map((value) => value?.toString('utf8') ?? null)
}

const columnText = fc.oneof(
  fc.constant(null),
  fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0') && text.isWellFormed()),
  fc.string({ unit: fc.constantFrom('\\', 'N', 'n', 't', '\t', '\n', '\b', '\f', '\v', '\r', '.', 'ü', '😀', ' ') }),
)
const anyRow = fc.array(columnText, { minLength: 1, maxLength: 8 })

test.each([
  ['a\tb', ['a', 'b']],
  ['', ['']],
  ['\t', ['', '']],
  ['\\N', [null]],
  ['\\N\t\\N\tx', [null, null, 'x']],
  ['\\\\N', ['\\N']],
  ['x\\\\', ['x\\']],
  ['\\\\\\N', ['\\N']],
  ['\\b\\f\\n\\r\\t\\v\\\\', ['\b\f\n\r\t\v\\']],
  ['N\tn\t\\.', ['N', 'n', '.']],
  ['a\\tb\tc\\\\\t\\N\td', ['a\tb', 'c\\', null, 'd']],
])('the row %j is read as its columns', (line, columns) => {
  expect(texts(parseCopyRow(Buffer.from(line)))).toEqual(columns)
})

test('columns without escapes share the memory of the row, in a row with and without escapes', () => {
  for (const line of ['first\tsecond', 'first\tsecond\t\\N\ta\\\\b']) {
    const row = Buffer.from(line)
    for (const column of parseCopyRow(row).slice(0, 2)) expect(column!.buffer).toBe(row.buffer)
  }
})

test('large columns share the memory of the row, whatever their escapes', () => {
  const bytes = `\\x${'0a'.repeat(40_000)}`
  const text = `${'a\tb\n\\'.repeat(20_000)}end`
  const row = Buffer.from(copyLine([bytes, 'small\n', text, bytes, null]).slice(0, -1))
  const columns = parseCopyRow(row)
  expect(texts(columns)).toEqual([bytes, 'small\n', text, bytes, null])
  for (const index of [0, 2, 3]) expect(columns[index]!.buffer).toBe(row.buffer)
})

test('whatever the values and however the bytes are cut, rows come back whole and in order', () => {
  fc.assert(
    fc.property(fc.array(anyRow, { maxLength: 12 }), fc.array(fc.integer({ min: 0, max: 40 })), (rows, cuts) => {
      const bytes = Buffer.from(rows.map(copyLine).join(''))
      const copied = createCopyRows()
      const out: RawRow[] = []
      let start = 0
      for (const length of [...cuts, bytes.length]) {
        const piece = bytes.subarray(start, start + length)
        copied.push(piece, out)
        start += piece.length
        const whole = bytes.subarray(0, start)
        expect(copied.pendingBytes()).toBe(start - (whole.lastIndexOf(0x0a) + 1))
      }
      expect(out.map(texts)).toEqual(rows)
    }),
    { numRuns: 500 },
  )
})
