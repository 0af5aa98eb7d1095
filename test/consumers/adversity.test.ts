import { expect, test } from 'vitest'
import type { Outcome, Patch } from '../../connectors/destination.ts'
import { NO_TRIALS } from '../../consumers/lanes/trials.ts'
import type { Value } from '../../schemas/field-type.ts'
import { deleteOf, recordOf, TOPIC, upsertOf } from './fixtures.ts'
import { APPLIED, type EngineChoice, startEngine, UNKNOWN } from './own-engine.ts'

const WHOLE = { a: '1', b: '1', c: '1' }
const REJECTED: Outcome = { kind: 'rejected', code: '23514', reason: 'a check failed' }
const QUICK = { attemptsMax: 2, firstMs: 1, deadAfterMs: 60_000 }

/** An engine with a destination that keeps what it applies; `other` may answer otherwise. */
function startWith(other: (patch: Patch, count: number) => Outcome | null, choice: EngineChoice = {}) {
  const held = new Map<string, Readonly<Record<string, Value>>>()
  let count = 0
  const answer = (patches: readonly Patch[]) =>
    patches.map((patch) => {
      const outcome = other(patch, ++count)
      if (outcome !== null) return outcome
      if (patch.kind === 'delete') held.delete(patch.key)
      else held.set(patch.key, { ...held.get(patch.key), ...patch.fields })
      return APPLIED
    })
  return Object.assign(startEngine({ answer, ...choice }), { held })
}

test('what took effect and could not be settled, as a letter of its batch could not be written, is not taken as certain', async () => {
  const engine = startWith(({ key }) => (key === 'bad' ? REJECTED : null), { concurrency: 1 })
  engine.ingest(upsertOf('x', 50, WHOLE))
  await engine.until(() => engine.committable === 1, 'the first is settled')
  engine.away.deadLetters = true
  engine.ingest(upsertOf('x', 53, { ...WHOLE, b: '0' }), upsertOf('bad', 1, WHOLE))
  await engine.until(() => engine.held.get('x')?.to_b === '0', 'it took effect')
  engine.ingest(upsertOf('x', 61, WHOLE))
  await engine.until(() => engine.sent.length > 2, 'it is tried again')
  engine.away.deadLetters = false
  await engine.until(() => engine.committable === 4, 'all is settled')
  expect(engine.held.get('x')?.to_b).toBe('1')
})

test('a former owner writes nothing to the dead-letter topic', async () => {
  const answered = Promise.withResolvers<void>()
  const engine = startEngine({
    batchMax: 1,
    async answer(patches, request) {
      if (request === 1) return patches.map(() => REJECTED)
      await answered.promise
      return patches.map(() => APPLIED)
    },
  })
  engine.ingest(upsertOf('x', 1, WHOLE))
  await engine.until(() => engine.letters.length === 1, 'its letter is there')
  engine.ingest(upsertOf('x', 2, WHOLE))
  await engine.until(() => engine.sent.length === 2, 'the next is on its way')
  engine.takeOver()
  answered.resolve()
  await engine.until(() => engine.away.asked > 0, 'it looked whether it still is the owner')
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(engine.letters).toHaveLength(1)
})

test('a delete is repeated when a lost create can arrive no more, where deletes are forgotten', async () => {
  let late = () => {}
  const engine = startWith(
    (patch, count) => {
      if (count !== 1) return null
      late = () => {
        if (patch.kind === 'upsert' && !engine.held.has(patch.key)) engine.held.set(patch.key, patch.fields)
      }
      return UNKNOWN
    },
    { batchMax: 1, compares: true, forgetsDeletes: true, lateRequestMs: 1_500 },
  )
  engine.ingest(upsertOf('x', 9, WHOLE), deleteOf('x', 10))
  await engine.until(() => engine.sent.some(([patch]) => patch!.kind === 'delete'), 'it is deleted')
  expect(engine.committable).not.toBe(2)
  late()
  expect(engine.held.has('x')).toBe(true)
  await engine.until(() => engine.committable === 2, 'all is settled')
  expect(engine.held.has('x')).toBe(false)
})

test('what waits for its own kind, or for what never comes, lets its offset go in the end', async () => {
  const blocked: Outcome = { kind: 'blocked', by: 'customers', code: '23503', reason: 'a parent is missing' }
  const engine = startWith(({ key }) => (key === 'orphan' ? blocked : null), { retry: QUICK })
  engine.ingest(upsertOf('orphan', 1, WHOLE), upsertOf('x', 2, WHOLE))
  await engine.until(() => engine.committable === 2, 'the offsets go on')
  expect(engine.letters).toMatchObject([{ key: 'customer/orphan' }])
})

test('each partition has its turn', async () => {
  let second = 0
  const engine = startEngine({
    batchMax: 1,
    answer(patches) {
      if (patches[0]!.key === 'of the second') second++
      return patches.map(() => APPLIED)
    },
  })
  engine.engine.assigned([
    { topic: TOPIC, partition: 0 },
    { topic: TOPIC, partition: 1 },
  ])
  const many = Array.from({ length: 300 }, (_, at) => recordOf(upsertOf(`k${at}`, at + 1, WHOLE), at, 0))
  engine.engine.ingest(many, 300n)
  engine.engine.ingest([recordOf(upsertOf('of the second', 5, WHOLE), 0, 1)], 1n)
  await engine.until(() => second === 1, 'the second partition had its turn')
  expect(engine.sent.length).toBeLessThan(100)
})

test('keys that make the destination fail do not keep healthy ones from it', async () => {
  const engine = startWith(
    ({ key }) => (key.startsWith('bad') ? { kind: 'unavailable', error: new Error('500') } : null),
    { batchMax: 1, breaker: { failures: 5, probeMsMin: 1, probeMsMax: 5 } },
  )
  engine.ingest(...Array.from({ length: 30 }, (_, at) => upsertOf(`bad${at}`, 1, WHOLE)))
  engine.ingest(...Array.from({ length: 300 }, (_, at) => upsertOf(`good${at}`, 1, WHOLE)))
  await engine.until(() => engine.held.size === 300, 'the good ones are all there')
})

test('a letter that came back and is overtaken is ended', async () => {
  const engine = startEngine({ answer: (patches) => patches.map(() => ({ kind: 'newer' })) })
  const told: string[] = []
  const { value } = recordOf(upsertOf('x', 5, WHOLE), 0)
  engine.engine.offer([...engine.engine.assignments][0]!, {
    key: 'x',
    version: upsertOf('x', 5, WHOLE).version,
    value,
    headers: {},
    offset: 0n,
    tickets: [],
    trials: NO_TRIALS,
    replays: 1,
    onSettled: [(how) => told.push(how)],
  })
  await engine.until(() => told.length === 1, 'it is settled')
  expect(engine.letters).toMatchObject([{ key: 'customer/x', value: null }])
})
