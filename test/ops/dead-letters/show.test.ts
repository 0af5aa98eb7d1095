import { expect, test } from 'vitest'
import { OpenLetters } from '../../../ops/dead-letters/capture/open-letters.ts'
import {
  formatShown,
  type RowNow,
  readRowNow,
  type ShownLetter,
  showJson,
} from '../../../ops/dead-letters/capture/show.ts'
import { TributaryError, UnencodableValue } from '../../../schemas/errors.ts'
import type { Value } from '../../../schemas/field-type.ts'
import { entity, incoming, letterRecord } from './letters.ts'

const PERSON = entity(
  'person',
  {
    id: { type: 'int64' },
    name: { type: 'string', personal: true },
    credit: { type: 'decimal(12,2)' },
    limit: { type: 'decimal(12,2)' },
  },
  ['id'],
)
const SECRET = 'Ada Lovelace'
const ROW: Readonly<Record<string, Value>> = { id: 7n, name: SECRET, credit: '1.00', limit: '2.00' }

/** A source whose row has these fields bad. */
const sourceWith =
  (...bad: string[]) =>
  async (fields: readonly string[]) => {
    const field = fields.find((name) => bad.includes(name))
    if (field !== undefined) throw new UnencodableValue(field, 'it is not a finite number', `field ${field}: …`)
    return Object.fromEntries(fields.map((name) => [name, ROW[name]!]))
  }

function shown(now: RowNow | null, showPersonal = false): ShownLetter {
  const open = new OpenLetters({})
  for (const record of incoming([letterRecord('person', '7', 1n)])) open.take(record)
  const [letter] = open.list()
  return {
    source: 'erp',
    letter: letter!,
    topic: 'acme.erp.capture-dead-letter',
    key: { text: '7', masked: false },
    now,
    showPersonal,
  }
}

const everything = (one: ShownLetter) => `${formatShown(one, 0).join('\n')}\n${JSON.stringify(showJson(one))}`

test('every field that does not fit is named, with those that do', async () => {
  const now = await readRowNow(PERSON.fields, sourceWith('credit', 'limit'), () => {})
  expect(now).toMatchObject({ state: 'there', problem: 'credit, limit: a value does not fit' })
  const text = everything(shown(now))
  expect(text).toMatch(/credit +decimal\(12,2\) +does not fit: it is not a finite number/)
  expect(text).toContain('still cannot be encoded')
  expect(text).not.toContain(SECRET)
})

test('a row that fits now is said to, with the command that replays it; personal values only when asked for', async () => {
  const now = await readRowNow(PERSON.fields, sourceWith(), () => {})
  expect(everything(shown(now))).toMatch(/would be encoded now.+\n +tributary dlq replay erp person 7/)
  expect(everything(shown(now))).not.toContain(SECRET)
  expect(everything(shown(now, true))).toContain(SECRET)
})

test('a row that is gone, or is corrected between two questions, is said to be so', async () => {
  expect(
    await readRowNow(
      PERSON.fields,
      async () => undefined,
      () => {},
    ),
  ).toEqual({ state: 'gone' })
  expect(everything(shown({ state: 'gone' }))).toContain('The row is gone')
  let asked = 0
  const corrected = (fields: readonly string[]) => sourceWith(...(asked++ === 0 ? ['credit'] : []))(fields)
  expect(await readRowNow(PERSON.fields, corrected, () => {})).toMatchObject({ problem: null })
})

test('what only the record refuses is a problem of its field, or of the row as a whole', async () => {
  const text = await readRowNow(PERSON.fields, sourceWith(), () => {
    throw new UnencodableValue('name', 'is not well-formed text', 'person.name is …')
  })
  expect(text).toMatchObject({ problem: 'name is not well-formed text' })
  expect(everything(shown(text, true))).not.toContain(SECRET)
  const large = await readRowNow(PERSON.fields, sourceWith(), () => {
    throw new TributaryError('value-unencodable', 'person is too large')
  })
  expect(large).toMatchObject({ problem: 'person is too large' })
})

test('a source that cannot be asked is an error, not a row that does not fit', async () => {
  const away = async () => {
    throw new TributaryError('source-unreachable', 'away')
  }
  await expect(readRowNow(PERSON.fields, away, () => {})).rejects.toMatchObject({ code: 'source-unreachable' })
  expect(everything(shown(null))).toContain('could not be asked')
})

test('no line is wider than 100 columns', async () => {
  const one = shown(await readRowNow(PERSON.fields, sourceWith('credit', 'limit'), () => {}))
  const wide = { ...one, letter: { ...one.letter, reason: 'word '.repeat(80) } }
  expect(Math.max(...formatShown(wide, 0).map((line) => line.length))).toBeLessThanOrEqual(100)
})
