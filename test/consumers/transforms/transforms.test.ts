import { describe, expect, it } from 'vitest'
import { TransformRefused } from '../../../connectors/destination.ts'
import { constant } from '../../../consumers/transforms/constant.ts'
import { type CustomTransform, custom } from '../../../consumers/transforms/custom.ts'
import { format, parseFormat } from '../../../consumers/transforms/format.ts'
import { join } from '../../../consumers/transforms/join.ts'
import { literalValue, typeOfLiterals } from '../../../consumers/transforms/literal.ts'
import { lookUp } from '../../../consumers/transforms/lookup-table.ts'
import { orDefault } from '../../../consumers/transforms/or-default.ts'
import { split } from '../../../consumers/transforms/split.ts'
import { textForm } from '../../../consumers/transforms/text-form.ts'
import { TEXT_CHARACTERS_MAX } from '../../../consumers/transforms/transform.ts'
import { type FieldType, parseFieldType, TIMESTAMP_INFINITY, type Value } from '../../../schemas/field-type.ts'

const types = (...texts: readonly string[]): readonly FieldType[] => texts.map(parseFieldType)
const STRING = parseFieldType('string')
const LONG = 'x'.repeat(TEXT_CHARACTERS_MAX)

/** What a transform that refuses says. */
function refusal(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(TransformRefused)
    return (error as Error).message
  }
  throw new Error('nothing was refused')
}

describe('a value as text', () => {
  it.each<[type: string, value: Exclude<Value, null>, text: string]>([
    ['string', 'ä b', 'ä b'],
    ['int64', 9_007_199_254_740_993n, '9007199254740993'],
    ['decimal(10,2)', '-0.50', '-0.50'],
    ['numeric', '1e100', '1e100'],
    ['double', 0.1, '0.1'],
    ['boolean', false, 'false'],
    ['date', -1, '1969-12-31'],
    ['time', 86_399_000_001n, '23:59:59.000001'],
    ['time', 3_600_000_000n, '01:00:00'],
    ['timestamp', -1n, '1969-12-31T23:59:59.999999'],
    ['timestamptz', 1_000_000n, '1970-01-01T00:00:01Z'],
    ['enum(open,paid)', 'open', 'open'],
  ])('%s %s is %s', (type, value, text) => {
    expect(textForm(parseFieldType(type), value)).toBe(text)
  })

  it('is refused for what has no end', () => {
    expect(refusal(() => textForm(parseFieldType('timestamptz'), TIMESTAMP_INFINITY))).toBe('the timestamp is infinite')
    expect(refusal(() => textForm(parseFieldType('timestamp'), TIMESTAMP_INFINITY - 1n))).toContain('no year')
    expect(refusal(() => textForm(parseFieldType('date'), 2_147_483_647))).toBe('the date is infinite')
  })
})

describe('join', () => {
  it.each<[values: readonly Value[], joined: Value]>([
    [['Ada', 'Lovelace'], 'Ada Lovelace'],
    [['Ada', null], 'Ada'],
    [[null, 'Lovelace'], 'Lovelace'],
    [[null, null], null],
    [['', 'x'], ' x'],
  ])('%j is %j', (values, joined) => {
    expect(join(types('string', 'string'), ' ')(values)).toBe(joined)
  })

  it('takes numbers and dates too', () => {
    expect(join(types('int64', 'date'), '/')([7n, 0])).toBe('7/1970-01-01')
  })

  it('makes no more than so much text', () => {
    const both = join(types('string', 'string'), '')
    expect(both([LONG, ''])).toBe(LONG)
    expect(refusal(() => both([LONG, 'x']))).toBe(`the text is longer than ${TEXT_CHARACTERS_MAX} characters`)
  })
})

describe('split', () => {
  it.each<[value: Value, part: number, text: Value]>([
    ['Main St 1, Delft', 1, 'Main St 1'],
    ['Main St 1, Delft', 2, 'Delft'],
    ['Main St 1, Delft', -1, 'Delft'],
    ['Main St 1, Delft', -3, null],
    ['Main St 1, Delft', 3, null],
    ['Main St 1,  ', 2, null],
    ['', 1, null],
    [null, 1, null],
  ])('%j, part %i, is %j', (value, part, text) => {
    expect(split(',', part)([value])).toBe(text)
  })
})

describe('a lookup table', () => {
  const table = new Map<string, Value>([
    ['paid', 3n],
    ['open', null],
  ])

  it('gives what it has, null too, and null for null', () => {
    const run = lookUp(STRING, table, undefined)
    expect([run(['paid']), run(['open']), run([null])]).toEqual([3n, null, null])
  })

  it('gives the default, or refuses without the value, where it has nothing', () => {
    expect(lookUp(STRING, table, 1n)(['other'])).toBe(1n)
    expect(refusal(() => lookUp(STRING, table, undefined)(['secret']))).not.toContain('secret')
  })

  it('finds numbers by their digits', () => {
    expect(lookUp(parseFieldType('int32'), new Map([['7', 'seven']]), undefined)([7n])).toBe('seven')
  })
})

describe('format', () => {
  const run = (text: string, from: readonly string[], values: readonly Value[]) =>
    format(parseFormat(text)!, from, types(...from.map(() => 'string')))(values)

  it.each<[format: string, from: readonly string[], values: readonly Value[], text: Value]>([
    ['SKU-{id}', ['id'], ['7'], 'SKU-7'],
    ['{b}{a}{b}', ['a', 'b'], ['1', '2'], '212'],
    ['{{{a}}}', ['a'], ['1'], '{1}'],
    ['{a} {b}', ['a', 'b'], ['1', null], null],
    ['plain', [], [], 'plain'],
  ])('%s of %j, %j, is %j', (text, from, values, result) => {
    expect(run(text, from, values)).toBe(result)
  })

  it.each(['{', '}', '{a', '{1}', '{a b}', '{}'])('%s is none', (text) => {
    expect(parseFormat(text)).toBeUndefined()
  })

  it('makes no more than so much text', () => {
    expect(refusal(() => run('{a}.', ['a'], [LONG]))).toContain('longer than')
  })
})

describe('constants and defaults', () => {
  it('a constant needs no field', () => {
    expect(constant('erp')([])).toBe('erp')
  })

  it('a default stands for null only', () => {
    expect(orDefault(null, 'none')([null])).toBe('none')
    expect(orDefault(null, true)([false])).toBe(false)
    expect(orDefault(split(',', 2), 'none')(['a'])).toBe('none')
  })
})

describe('a custom transform', () => {
  const run = (transform: CustomTransform, type = 'string') =>
    custom('mine', new Map([['mine', transform]]), parseFieldType(type))

  it('gets the values one by one, and gives one of its type or null', () => {
    expect(run((a, b) => `${a}${b}`)(['1', null])).toBe('1null')
    expect(run(() => null)([])).toBeNull()
    expect(run(() => ['a', null], 'string[]')([])).toEqual(['a', null])
  })

  it('is refused without values when it fails, or gives something else', () => {
    const secret = 'Hunter2'
    const cases: readonly [CustomTransform, string, string][] = [
      [
        (value) => {
          throw new Error(String(value))
        },
        'string',
        'the custom transform mine failed',
      ],
      [() => 7n, 'string', 'what the custom transform mine gave is not a string'],
      [() => secret, 'int64', 'what the custom transform mine gave is not an int64 (a bigint)'],
      [
        () => Promise.resolve(secret) as unknown as Value,
        'string',
        'what the custom transform mine gave is not a string',
      ],
      [() => undefined as unknown as Value, 'string', 'the custom transform mine gave nothing; it may give null'],
      [() => `${LONG}x`, 'string', `the text is longer than ${TEXT_CHARACTERS_MAX} characters`],
    ]
    for (const [transform, type, message] of cases) expect(refusal(() => run(transform, type)([secret]))).toBe(message)
  })

  it('may refuse in words of its own', () => {
    const transform: CustomTransform = () => {
      throw new TransformRefused('no such country')
    }
    expect(refusal(() => run(transform)([]))).toBe('no such country')
  })
})

describe('a literal of a declaration', () => {
  it.each<[type: string, literal: string | number | boolean, value: Value | undefined]>([
    ['string', 'a', 'a'],
    ['string', 7, undefined],
    ['int32', 2 ** 31, undefined],
    ['int64', '9223372036854775807', 9_223_372_036_854_775_807n],
    ['int64', 2 ** 53, undefined],
    ['int64', 1.5, undefined],
    ['decimal(5,2)', 1.5, '1.50'],
    ['decimal(5,2)', '-0.00', '0.00'],
    ['decimal(5,2)', '-001.10', '-1.10'],
    ['decimal(5,2)', 1000, undefined],
    ['decimal(5,2)', 0.125, undefined],
    ['decimal(3,0)', 100, '100'],
    ['numeric', '0.10', '0.10'],
    ['double', '0.5', 0.5],
    ['boolean', true, true],
    ['boolean', 'true', undefined],
    ['enum(open,paid)', 'paid', 'paid'],
    ['enum(open,paid)', 'gone', undefined],
    ['uuid', 'A0000000-0000-0000-0000-000000000001', 'a0000000-0000-0000-0000-000000000001'],
    ['date', '2026-02-28', 20_512],
    ['date', '2026-02-30', undefined],
    ['timestamptz', '2026-02-28', undefined],
    ['json', '{}', undefined],
  ])('of type %s: %j is %s', (type, literal, value) => {
    expect(literalValue(parseFieldType(type), literal)).toEqual(value)
  })

  it('has a type of its own, when all have', () => {
    expect(typeOfLiterals(['a', 'b'])).toEqual({ kind: 'string' })
    expect(typeOfLiterals([1, 2])).toEqual({ kind: 'int64' })
    expect(typeOfLiterals([1, 2.5])).toEqual({ kind: 'double' })
    expect(typeOfLiterals([true])).toEqual({ kind: 'boolean' })
    expect(typeOfLiterals([1, 'a'])).toBeUndefined()
    expect(typeOfLiterals([])).toBeUndefined()
  })
})
