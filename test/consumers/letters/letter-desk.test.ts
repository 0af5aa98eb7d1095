import { expect, onTestFinished, test } from 'vitest'
import type { Outcome, Patch } from '../../../connectors/destination.ts'
import type { IncomingRecord } from '../../../connectors/kafka/consumer.ts'
import type { TopicTail } from '../../../connectors/kafka/tail-topic.ts'
import { LetterDesk } from '../../../consumers/letters/letter-desk.ts'
import { parseDeadLetter } from '../../../schemas/dead-letter.ts'
import { formatMessage, parseMessage, type SubscriberCommand } from '../../../schemas/subscriber-command.ts'
import { deleteOf, upsertOf } from '../fixtures.ts'
import { APPLIED, type EngineChoice, startEngine } from '../own-engine.ts'

const WHOLE = { a: '1', b: '1', c: '1' }
const REJECTED: Outcome = { kind: 'rejected', code: '23514', reason: 'a check failed' }
const BLOCKED: Outcome = { kind: 'blocked', by: '', code: '23503', reason: 'a parent is missing' }
/** Three failures of its own, and then it is given up. */
const QUICK = { attemptsMax: 2, firstMs: 5, deadAfterMs: 60_000 }

/** An engine with a desk whose two topics are what the engine's writer has written. */
function startDesk(choice: EngineChoice = {}) {
  const engine = startEngine({ retry: QUICK, ...choice })
  const recordsOf = (topic: string): IncomingRecord[] =>
    engine.letters
      .filter((record) => record.topic === topic)
      .map(({ key, value, headers }, index) => ({
        topic,
        partition: 0,
        offset: BigInt(index),
        key: Buffer.from(key),
        value,
        headers,
        timestampMs: 0,
      }))
  const tail = (topic: string): TopicTail => {
    let next = 0
    return {
      async poll(onRecord) {
        const all = recordsOf(topic)
        while (next < all.length) onRecord(all[next++]!)
      },
      at: async (_partition, offset) => recordsOf(topic)[Number(offset)],
      close: async () => {},
    }
  }
  const desk = new LetterDesk({
    prefix: 'shop',
    subscriber: 'warehouse',
    engine: engine.engine,
    deadLetters: engine.deadLetters,
    ledger: engine.ledger,
    openLettersTail: async () => tail('shop.warehouse.dead-letter'),
    openCommandsTail: async () => tail('shop.warehouse.commands'),
    resync: async () => 0,
    log: () => {},
  })
  engine.onWrite = (key) => desk.outdate(key)
  const stop = new AbortController()
  const running = desk.run(stop.signal)
  onTestFinished(async () => {
    stop.abort()
    await running
  })
  const open = () => {
    const newest = new Map(recordsOf('shop.warehouse.dead-letter').map((record) => [record.key!.toString(), record]))
    return [...newest.values()].flatMap((record) => {
      const head = parseDeadLetter(record.key, record.value, record.headers)
      return head === undefined ? [] : [{ ...head, place: { partition: 0, offset: record.offset } }]
    })
  }
  return {
    ...engine,
    /** The offset that may be committed. */
    committed: () => engine.committable,
    open,
    ask(command: SubscriberCommand) {
      engine.letters.push({ topic: 'shop.warehouse.commands', ...formatMessage(command), headers: {} })
    },
    answerOf(id: string) {
      const answers = recordsOf('shop.warehouse.commands').map(({ key, value }) => parseMessage(key, value))
      return answers.find((message) => message?.kind === 'done' && message.id === id)
    },
  }
}

type Desk = ReturnType<typeof startDesk>

function replayOf(desk: Desk, id: string): SubscriberCommand {
  const [letter] = desk.open()
  return {
    kind: 'replay',
    id,
    entity: 'customer',
    key: letter!.key,
    partition: 0,
    letter: letter!.place,
    at: new Date().toISOString(),
  }
}

test('a key that fails alone holds up no other, is given up after its attempts, and is tried on from there', async () => {
  let isBlocked = true
  const desk = startDesk({
    retry: { ...QUICK, deadAfterMs: 20 },
    answer: (patches: readonly Patch[]) => patches.map(({ key }) => (key === 'x' && isBlocked ? BLOCKED : APPLIED)),
  })
  desk.ingest(upsertOf('x', 1, WHOLE), upsertOf('y', 2, WHOLE))
  await desk.until(() => desk.sent.flat().some(({ key }) => key === 'y'), 'the other goes on')
  await desk.until(() => desk.committed() === 2, 'the offset goes on')
  const [letter] = desk.open()
  expect(letter).toMatchObject({ key: 'x', code: '23503', attempts: 3 })
  isBlocked = false
  if (letter!.state === 'dead') desk.ask(replayOf(desk, 'replay-0001'))
  await desk.until(() => desk.open().length === 0, 'the letter is ended')
})

test('one that is tried again by itself keeps its age and attempts, and is dead in the end', async () => {
  const desk = startDesk({
    retry: { ...QUICK, deadAfterMs: 400 },
    answer: (patches: readonly Patch[]) => patches.map(() => BLOCKED),
  })
  desk.ingest(upsertOf('x', 1, WHOLE))
  await desk.until(() => desk.open()[0]?.state === 'retrying', 'it is tried on')
  const [first] = desk.open()
  expect(desk.committed()).toBe(1)
  await desk.until(() => desk.open()[0]?.state === 'dead', 'it is dead')
  const [last] = desk.open()
  expect(last!.firstFailedAt).toBe(first!.firstFailedAt)
  expect(last!.attempts).toBeGreaterThan(first!.attempts)
  expect(last!.replays).toBe(0)
})

test('a later good change of the key ends its letter, and a replay of the old one changes nothing', async () => {
  const desk = startDesk({
    answer: (patches: readonly Patch[], request) => patches.map(() => (request === 1 ? REJECTED : APPLIED)),
  })
  desk.ingest(upsertOf('x', 1, WHOLE))
  await desk.until(() => desk.open().length === 1, 'it is dead')
  const command = replayOf(desk, 'replay-0001')
  desk.ingest(upsertOf('x', 2, { ...WHOLE, a: '2' }))
  await desk.until(() => desk.open().length === 0, 'it is ended')
  const requests = desk.sent.length
  desk.ask(command)
  await desk.until(() => desk.answerOf('replay-0001') !== undefined, 'it is answered')
  expect(desk.answerOf('replay-0001')).toMatchObject({ result: 'gone' })
  expect(desk.sent).toHaveLength(requests)
})

test('a replay goes through the lane of its key: applied, the letter is ended; refused, it is kept with its replays', async () => {
  let refuses = true
  const desk = startDesk({ answer: (patches) => patches.map(() => (refuses ? REJECTED : APPLIED)) })
  desk.ingest(upsertOf('x', 1, WHOLE))
  await desk.until(() => desk.open().length === 1, 'it is dead')
  desk.ask(replayOf(desk, 'replay-0001'))
  await desk.until(() => desk.answerOf('replay-0001') !== undefined, 'it is answered')
  expect(desk.answerOf('replay-0001')).toMatchObject({ result: 'failed', code: '23514' })
  await desk.until(() => desk.open()[0]?.replays === 1, 'it counts its replays')
  refuses = false
  desk.ask(replayOf(desk, 'replay-0002'))
  await desk.until(() => desk.answerOf('replay-0002') !== undefined, 'it is answered')
  expect(desk.answerOf('replay-0002')).toMatchObject({ result: 'applied' })
  expect(desk.open()).toEqual([])
})

test('a delete that was refused is replayed as a delete', async () => {
  let refuses = true
  const desk = startDesk({ answer: (patches) => patches.map(() => (refuses ? REJECTED : APPLIED)) })
  desk.ingest(deleteOf('x', 1))
  await desk.until(() => desk.open().length === 1, 'it is dead')
  refuses = false
  desk.ask(replayOf(desk, 'replay-0001'))
  await desk.until(() => desk.open().length === 0, 'it is ended')
  expect(desk.sent.at(-1)).toMatchObject([{ kind: 'delete', key: 'x', version: { position: 1n } }])
})

test('a letter is discarded only while it is the newest of its key', async () => {
  const desk = startDesk({ answer: (patches) => patches.map(() => REJECTED) })
  desk.ingest(upsertOf('x', 1, WHOLE))
  await desk.until(() => desk.open().length === 1, 'it is dead')
  const { kind: _, ...old } = replayOf(desk, 'discard-001')
  desk.ingest(upsertOf('x', 2, WHOLE))
  await desk.until(() => desk.open()[0]?.offset === 1n, 'a newer one takes its place')
  const discard = { kind: 'discard', reason: 'sent by mistake' } as const
  desk.ask({ ...(old as ReturnType<typeof replayOf> & { kind: never }), ...discard } as SubscriberCommand)
  await desk.until(() => desk.answerOf('discard-001') !== undefined, 'it is answered')
  expect(desk.answerOf('discard-001')).toMatchObject({ result: 'gone' })
  expect(desk.open()).toHaveLength(1)
  const { kind: __, ...newest } = replayOf(desk, 'discard-002')
  desk.ask({ ...newest, ...discard } as SubscriberCommand)
  await desk.until(() => desk.open().length === 0, 'it is ended')
  expect(desk.letters.at(-1)!.topic).toBe('shop.warehouse.commands')
  const end = desk.letters.filter(({ topic }) => topic === 'shop.warehouse.dead-letter').at(-1)
  expect(end!.headers).toEqual({ 'tributary.end': 'discarded', 'tributary.reason': 'sent by mistake' })
})

test('a replay of an older letter does not end the letter of a newer record', async () => {
  const desk = startDesk({
    answer: (patches: readonly Patch[]) =>
      patches.map(({ version }) => (version.position === 1n && desk.sent.length > 2 ? APPLIED : REJECTED)),
  })
  desk.ingest(upsertOf('x', 1, WHOLE))
  await desk.until(() => desk.open().length === 1, 'the first is dead')
  const [assignment] = desk.engine.assignments
  const first = desk.letters[0]!
  desk.ingest(upsertOf('x', 2, WHOLE))
  await desk.until(() => desk.open()[0]?.offset === 1n, 'the second is dead')
  // As a desk would that has not heard of the second.
  let how = ''
  desk.engine.offer(assignment!, {
    key: 'x',
    version: { epoch: 1n, position: 1n, ordinal: 0 },
    value: first.value,
    headers: {},
    offset: 0n,
    tickets: [],
    trials: {
      mustBeFull: false,
      uncertain: false,
      rounds: 0,
      attempts: 0,
      firstFailedAtMs: 0,
      together: 1,
      answeredThen: -1,
    },
    replays: 1,
    onSettled: [(settled) => (how = settled)],
  })
  await desk.until(() => how === 'applied', 'the first is applied')
  expect(desk.open()).toMatchObject([{ offset: 1n }])
})
