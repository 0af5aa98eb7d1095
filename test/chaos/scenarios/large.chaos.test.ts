import { afterAll, beforeAll, expect, test } from 'vitest'
import { readTopic } from '../../../connectors/kafka/read-topic.ts'
import { isFence } from '../../../schemas/fence.ts'
import { captureDeadLetterTopic, entityTopic } from '../../../schemas/topics.ts'
import { eventually, type FlowProcess } from '../../support/flow.ts'
import { peakMegabytes } from '../../support/process-usage.ts'
import { untilCaptured } from '../../support/quiet.ts'
import { alterTopics } from '../../support/topics/compaction.ts'
import { countRecords } from '../../support/topics/topic-history.ts'
import { keepChanging } from '../delivery/items.ts'
import { type Subscriber, warehouse } from '../delivery/subscribers.ts'
import { chosenSeed } from '../workload/random.ts'
import { endWell, expectGuarantees, expectRight, openScene, put, type Scene, untilHeld } from './scene.ts'

const SEED = chosenSeed()
/** Kept rows of the large transaction; half of it before a part that is rolled back. */
const ROWS = 500_000
const ROLLED_BACK_ROWS = 100_000
const MEMORY_MAX_MB = 300
const NEIGHBOUR_ROWS = 400_000
/** Beyond what a record may have (schemas/avro/bytes.ts). */
const TOO_LARGE_CHARS = 12_000_000
const LARGE_CHARS = 200_000

const MORE = {
  sql: `
    CREATE TABLE bulk (id bigint PRIMARY KEY, amount bigint);
    ALTER TABLE bulk REPLICA IDENTITY FULL;
    CREATE TABLE neighbour (id bigint, filler text);`,
  entities: `
  bulk:
    source: erp
    table: bulk
    key: id
    owner: test
    freshness: 15m
    partitions: 3
    fields: { id: int64, amount: int64 }
`,
}

let scene: Scene
let sql: Subscriber
let capture: FlowProcess

beforeAll(async () => {
  sql = warehouse()
  scene = await openScene([sql], {}, MORE)
  capture = scene.start({}, 'capture', 'erp')
  await scene.deliver(sql)
  await put(scene.flow, 'k', 'first')
  await untilHeld(scene, sql, 'k', 'first')
})

afterAll(() => scene?.close(), 120_000)

/**
 * A neighbour writes 40 MB of log of which nothing is captured → the slot has confirmed all of it, without a single captured change → killed and started
 * again, capture goes on behind it.
 */
test('an idle source beside a busy neighbour table lets the log go, and is not held up by it', {
  timeout: 400_000,
}, async () => {
  const { flow } = scene
  await flow.source`INSERT INTO neighbour SELECT i, repeat('x', 40) FROM generate_series(1, ${NEIGHBOUR_ROWS}::int) i`
  await flow.source`UPDATE neighbour SET filler = 'y' WHERE id % 10 = 0`
  await untilCaptured(flow)
  capture.kill('SIGKILL')
  await capture.exited
  capture = scene.start({}, 'capture', 'erp')
  await put(flow, 'k', 'beside a neighbour')
  await untilHeld(scene, sql, 'k', 'beside a neighbour')
})

/**
 * a transaction begins, changes `k` and makes 250,000 rows → short ones are committed and arrive → 100,000 more rows, rolled back to a savepoint → 250,000
 * more, COMMIT, with short ones all the time → one of 100,000 rows is rolled back → `k` is changed again.
 */
test(`a transaction of 500,000 rows neither holds up short ones that commit before it nor loses one of its own, in bounded memory (SEED=${SEED})`, {
  timeout: 400_000,
}, async () => {
  const { flow } = scene
  const rows = (from: number, count: number) =>
    `INSERT INTO bulk SELECT i, i FROM generate_series(${from}, ${from + count - 1}) i`
  const changes = keepChanging(flow, SEED)
  const session = await flow.source.reserve()
  await session.unsafe('BEGIN')
  await session.unsafe(`UPDATE items SET name = 'in the large one', revision = nextval('revisions') WHERE id = 'k'`)
  await session.unsafe(rows(1, ROWS / 2))
  await put(flow, 'short', 'committed before it')
  await untilHeld(scene, sql, 'short', 'committed before it')
  await session.unsafe('SAVEPOINT half')
  await session.unsafe(rows(ROWS + 1, ROLLED_BACK_ROWS))
  await session.unsafe('ROLLBACK TO half')
  await session.unsafe(rows(ROWS / 2 + 1, ROWS / 2))
  await session.unsafe('COMMIT')
  await session.unsafe('BEGIN')
  await session.unsafe(rows(ROWS + 1, ROLLED_BACK_ROWS))
  await session.unsafe('ROLLBACK')
  session.release()
  await put(flow, 'k', 'after the large one')
  await untilHeld(scene, sql, 'k', 'after the large one', 240_000)
  await changes.stop()
  await expectRight(scene)

  const { declaration, kafka } = flow.environment()
  const seen = new Uint8Array(ROWS + 1)
  let others = 0
  await readTopic(kafka, declaration.kafka.brokers, entityTopic(flow.prefix, 'bulk'), (record) => {
    if (isFence(record)) return
    const { key, value } = record
    const id = Number(key)
    if (value === null || !(id >= 1 && id <= ROWS)) others++
    else seen[id] = 1
  })
  expect(seen.reduce((sum, one) => sum + one, 0)).toBe(ROWS)
  expect(others, 'what was rolled back').toBe(0)
  expect(peakMegabytes(capture.child.pid!)).toBeLessThan(MEMORY_MAX_MB)
})

/**
 * a row that no record can hold → a capture dead letter, and others go on → the row gets smaller → the letter is gone. Then someone lets the topic take less
 * than before → a row that is larger → capture waits and says so → the topic takes it again.
 */
test('an oversized row is a dead letter until it fits; a topic that takes too little holds capture up until it is set right', {
  timeout: 400_000,
}, async () => {
  const { flow } = scene
  const letters = () => countRecords(flow, captureDeadLetterTopic(flow.prefix, 'erp'))
  await put(flow, 'large', 'too large', 'x'.repeat(TOO_LARGE_CHARS))
  await put(flow, 'k', 'beside a large one')
  await untilHeld(scene, sql, 'k', 'beside a large one')
  expect(await letters(), scene.story()).toBe(1)
  expect((await sql.held(flow)).has('large')).toBe(false)
  await put(flow, 'large', 'it fits now', 'x')
  await untilHeld(scene, sql, 'large', 'it fits now')
  expect(await letters(), scene.story()).toBe(0)

  const topic = entityTopic(flow.prefix, 'item')
  await alterTopics(flow.environment(), [topic], { 'max.message.bytes': String(LARGE_CHARS / 2) })
  await put(flow, 'large', 'refused by the broker', 'y'.repeat(LARGE_CHARS))
  await eventually(
    () => /"reason":"Publishing \d+ records failed: [^"]*larger than the max message size/.test(capture.log()),
    () => `capture says what holds it up\n${scene.story()}`,
  )
  await flow.provision()
  await untilHeld(scene, sql, 'large', 'refused by the broker')
  await expectGuarantees(scene, { completed: ['item'] })
  await endWell(scene, capture)
})
