import { describe, expect, test } from 'vitest'
import { BEFORE, historyOf, type RunHistory } from '../histories/history.ts'
import { check } from './check.ts'
import { at, change, effect, fields, letter, record, sample } from './sample.ts'
import { failures, GUARANTEES, type Guarantee } from './verdict.ts'

const of = (run: RunHistory, guarantee: string) => check(run).find((verdict) => verdict.guarantee === guarantee)!
const violated = (run: RunHistory) =>
  check(run).flatMap(({ guarantee, violations }) => (violations.length > 0 ? [guarantee] : []))
const whole = sample()
const effectsBut = (replaced: ReturnType<typeof effect>) =>
  whole.effects.map((one) =>
    one.destination === replaced.destination && one.number === replaced.number ? replaced : one,
  )
const statesBut = (place: string, held: ReturnType<typeof fields> | null) =>
  whole.states.flatMap((state) => (state.place !== place ? [state] : held === null ? [] : [{ ...state, fields: held }]))

/** Refused at search, kept as a dead letter, replayed, cleared. */
const refused = sample({
  effects: [
    ...whole.effects.filter(({ destination, number }) => destination === 'warehouse' || number < 3),
    effect('search', 3, 3, fields('2'), { result: 'rejected', sent: fields('3') }),
    effect('search', 4, 3, fields('3'), { atMs: at(8) }),
  ],
  letters: [letter(0, 3), { ...letter(1, null), atMs: at(8) + 100 }],
  progress: whole.progress.map((one) => ({ ...one, effects: { warehouse: 3, search: 4 } })),
  faults: [...whole.faults, { kind: 'replay', target: 'search', fromMs: at(7), toMs: at(8) }],
})

/** The refused record is followed by one that takes it back: for that one nothing needs to be sent. */
const overtaken = sample({
  ...refused,
  source: [...whole.source, change(4, fields('2'))],
  topic: [...whole.topic, record(3, 4, fields('2'))],
  effects: refused.effects.filter(({ destination, number }) => destination === 'warehouse' || number < 4),
  letters: [letter(0, 3), { ...letter(1, null), atMs: at(5) }],
})

describe('a run in which all is well', () => {
  test('violates nothing, and every guarantee but that of refusals is looked at', () => {
    expect(violated(whole)).toEqual([])
    expect(
      failures(
        check(whole),
        GUARANTEES.filter((one) => one !== 'G5'),
      ),
    ).toEqual([])
  })

  test('in which one record is refused, kept and replayed shows that one too', () => {
    expect(violated(refused)).toEqual([])
    expect(failures(check(refused), GUARANTEES)).toEqual([])
  })

  test('may leave out states that changed nothing, and apply several at once', () => {
    const run = sample({
      source: [change(1, fields('1')), change(2, fields('2')), change(3, fields('2')), change(4, fields('3'), 3)],
      effects: whole.effects.filter(({ number }) => number !== 2),
      faults: [],
    })
    expect(violated(run)).toEqual([])
  })

  test('may have on its topic only what changed since the recording began', () => {
    const run = sample({
      source: [{ ...change(0, fields('0')), transaction: BEFORE }, change(0.5, fields('0')), ...whole.source],
    })
    expect(violated(run)).toEqual([])
  })

  test('may have confirmed all that lies before a commit that is not published yet', () => {
    const before = whole.progress.map((one) => ({ ...one, confirmed: '3', ends: { 'item/0': 2 } }))
    expect(violated(sample({ progress: [...before, ...whole.progress] }))).toEqual([])
  })

  test('may have a dead letter behind its last effect, where a destination tells no refusals', () => {
    const run = sample({
      effects: whole.effects.filter(({ destination, number }) => destination === 'warehouse' || number < 3),
      letters: [letter(0, 3)],
    })
    expect(of(run, 'G5').violations).toEqual([])
  })

  test('may clear the letter of a refused record for a newer one that says what is held anyway', () => {
    expect(of(overtaken, 'G5').violations).toEqual([])
  })

  test('may have a slot of the epoch before beside the first row of the next one, whose log was set back', () => {
    const [first] = whole.progress
    const run = sample(
      {
        topic: [
          ...whole.topic,
          record(3, 2, fields('2'), { version: '2/1/-1' }),
          record(4, 2, fields('3'), { version: '2/2/0' }),
        ],
        progress: [
          { ...first!, ends: { 'item/0': 4 } },
          { ...first!, confirmed: '2', ends: { 'item/0': 5 } },
        ],
      },
      { isContinuous: false },
    )
    expect(of(run, 'G7').violations).toEqual([])
  })

  test('may have a late request at a system that compares nothing, when it is put right', () => {
    const run = sample({
      effects: [
        ...whole.effects,
        effect('search', 4, 2, fields('2'), { atMs: at(5) }),
        effect('search', 5, 3, fields('3'), { atMs: at(6) }),
      ],
    })
    expect(violated(run)).toEqual([])
  })
})

describe('silence', () => {
  test('is no pass: of an empty history every guarantee fails', () => {
    const failed = failures(check(historyOf({}, {})), GUARANTEES)
    expect(failed.map(({ guarantee }) => guarantee)).toEqual([...GUARANTEES])
  })

  test.each(['source', 'topic', 'effects', 'states'] as const)('of the recorder of %s is noticed', (name) => {
    expect(
      failures(
        check(sample({ [name]: [] })),
        GUARANTEES.filter((one) => one !== 'G5'),
      ).length,
    ).toBeGreaterThan(0)
    expect(violated(sample({ [name]: [] })).length).toBeGreaterThan(0)
  })

  test.each([
    ['progress', 'G6'],
    ['progress', 'G7'],
    ['processes', 'G12'],
    ['output', 'G10'],
  ] as const)('of the recorder of %s leaves %s undecided, which is a failure', (name, guarantee) => {
    expect(failures(check(sample({ [name]: [] })), [guarantee]).map((one) => one.guarantee)).toContain(guarantee)
  })

  test.each(['source', 'effects'] as const)('from the middle on, of the recorder of %s, is noticed', (name) => {
    expect(violated(sample({ [name]: whole[name].slice(0, -1) }))).toContain('recording')
  })

  test('of a recorder of the topic from the middle on is noticed', () => {
    expect(violated(sample({ topic: whole.topic.slice(0, -1) })).length).toBeGreaterThan(0)
  })
})

const CASES: Readonly<Record<Guarantee, Readonly<Record<string, RunHistory>>>> = {
  G1: {
    'an older record behind a newer one': sample({ topic: [...whole.topic, record(3, 2, fields('2'))] }),
    'a change that never came': sample({ topic: whole.topic.slice(0, -1) }),
    'a state in the middle that never came': sample({ topic: whole.topic.filter(({ offset }) => offset !== 1) }),
    'a delete that never came': sample({
      source: [...whole.source, change(4, null)],
      states: statesBut('source', null),
    }),
    'a record that says something else': sample({
      topic: [...whole.topic.slice(0, -1), record(2, 3, fields('3', null))],
    }),
  },
  G2: {
    'a newest record without effect': sample({ effects: whole.effects.filter(({ number }) => number < 3) }),
    'a mixture of two states at one that compares': sample({
      effects: effectsBut(effect('warehouse', 2, 2, fields('2', 'y'))),
    }),
    'a value that no record has': sample({
      effects: effectsBut(effect('search', 2, 2, fields('2'), { sent: { a: '9' } })),
    }),
    'a delete that never was': sample({ effects: effectsBut(effect('search', 2, 2, null)) }),
  },
  G3: {
    'an older value over a newer one at one that compares': sample({
      effects: [...whole.effects, effect('warehouse', 4, 2, fields('2')), effect('warehouse', 5, 3, fields('3'))],
    }),
    'one that nobody puts right at one that does not': sample({
      effects: [...whole.effects, effect('search', 4, 2, fields('2'), { atMs: at(5) })],
      states: statesBut('search', fields('2')),
    }),
  },
  G4: {
    'a field that differs': sample({ states: statesBut('search', fields('3', null)) }),
    'an object that is missing': sample({ states: statesBut('warehouse', null) }),
    'an object that should be gone': sample({ states: statesBut('source', null) }),
  },
  G5: {
    'a refused record that is not kept': sample({ ...refused, letters: [] }),
    'a letter that was cleared for nothing': sample({ ...overtaken, topic: whole.topic }),
    'a letter that was cleared for a record that says something else': sample({
      ...overtaken,
      topic: [...whole.topic, record(3, 4, fields('4'))],
    }),
    'a dead letter of an older version': sample({ ...refused, letters: [letter(0, 2), refused.letters[1]!] }),
    'a dead letter with other bytes': sample({
      ...refused,
      letters: [letter(0, 3, { hash: 'h9' }), refused.letters[1]!],
    }),
    'a dead letter without a reason': sample({
      ...refused,
      letters: [letter(0, 3, { reason: '' }), refused.letters[1]!],
    }),
    'a dead letter that a success did not clear': sample({ ...refused, letters: [letter(0, 3)] }),
  },
  G6: {
    'an offset past a record that takes effect later': sample({
      progress: [
        ...whole.progress.map((one) => ({ ...one, atMs: at(2), effects: { warehouse: 3, search: 1 } })),
        ...whole.progress,
      ],
    }),
  },
  G7: {
    'a position that was confirmed before its record was there': sample({
      progress: [...whole.progress.map((one) => ({ ...one, ends: { 'item/0': 2 } })), ...whole.progress],
    }),
    // The first that is streamed at all, behind the rows of a snapshot.
    'one before the first change of an epoch was there': sample({
      topic: [record(0, 1, fields('1'), { version: '1/1/-1' }), ...whole.topic.slice(1)],
      progress: [...Array(2).fill({ ...whole.progress[0]!, ends: { 'item/0': 1 } }), ...whole.progress],
    }),
  },
  G8: {
    'no quiet': sample({}, { quietMs: null }),
    'no recovery': sample({}, { recoveredMs: null }),
    'a change that takes too long when all is well': sample({}, { latencyMsMax: 100 }),
  },
  G9: {
    'another class of the same subscriber that stands still meanwhile': sample({
      source: [...whole.source, { ...change(4, fields('4'), 2), entity: 'other' }],
      faults: [{ ...whole.faults[0]!, entities: ['other'] }],
      effects: whole.effects.filter(({ destination, number }) => destination === 'warehouse' || number < 2),
    }),
    'another subscriber that stands still meanwhile': sample({
      effects: whole.effects.map((one) =>
        one.destination === 'warehouse' ? { ...one, atMs: one.atMs + 60_000 } : one,
      ),
    }),
  },
  G10: { 'a secret in the log': sample({ output: [{ atMs: at(3), process: 'capture', text: 'password s3cret' }] }) },
  G11: { 'a skip after the ledger was lost': sample({ effects: whole.effects.filter(({ number }) => number < 3) }) },
  G12: {
    'a process above its bound': sample({ processes: [{ atMs: at(3), process: 'capture', pid: 1, rssBytes: 1_001 }] }),
  },
}

describe.each(GUARANTEES)('%s', (guarantee) => {
  test.each(Object.entries(CASES[guarantee]))('is violated by %s', (_what, run) => {
    expect(of(run, guarantee).violations.length).toBeGreaterThan(0)
  })
})

test('a violation of a key tells its whole story in time order', () => {
  const [first] = of(sample({ topic: [...whole.topic, record(3, 2, fields('2'), { atMs: at(4) })] }), 'G1').violations
  expect(first).toMatchObject({ guarantee: 'G1', entity: 'item', key: '1' })
  const places = first!.story.map((line) => line.split(/ +/)[1])
  expect(places.slice(0, 5)).toEqual(['source', 'fault', 'fault', 'topic', 'warehouse'])
  expect(first!.story.join('\n')).toContain('topic   0@3 1/2/0')
})
