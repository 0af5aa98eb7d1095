import { renameSync, statSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readTopic } from '../../connectors/kafka/read-topic.ts'
import { createFlow, eventually, type Flow, type FlowProcess } from '../support/flow.ts'
import { blobFiles, DIGESTS, DOCUMENTS, declareDocuments, makeFolder, randomText } from './claims.ts'

const folder = makeFolder()
let flow: Flow
let running: FlowProcess

beforeAll(async () => {
  flow = await createFlow((prefix) => declareDocuments(prefix, `${folder.path}/blobs`), DOCUMENTS)
  await flow.provision()
  await insert(1, 300_000, 5_000_000, 20_000_000)
  running = flow.start('run')
})

afterAll(async () => {
  await flow?.close()
  folder.remove()
})

const insert = (id: number, body: number, facts: number, scan: number) =>
  flow.source.unsafe(`INSERT INTO documents VALUES (${id}, 'first', ${randomText(body)},
    jsonb_build_object('ä', ${randomText(facts)}, 'n', ${id}), decode(${randomText(2 * scan)}, 'hex'))`)

async function untilEqual(): Promise<void> {
  await eventually(
    async () => {
      const there = JSON.stringify(await flow.warehouse.unsafe(DIGESTS))
      return there === JSON.stringify(await flow.source.unsafe(DIGESTS))
    },
    () => `both sides are equal\n${running.log()}`,
  )
}

async function recordSizes(): Promise<number[]> {
  const sizes: number[] = []
  const { kafka, declaration } = flow.environment()
  await readTopic(kafka, declaration.kafka.brokers, `${flow.prefix}.document`, ({ value }) => {
    if (value !== null) sizes.push(value.length)
  })
  return sizes
}

test('large values of a row that was there, and of rows that come, arrive whole by way of the blob store', async () => {
  await untilEqual()
  await insert(2, 400_000, 1_000_000, 2_000_000)
  await flow.source`INSERT INTO documents SELECT 3, 'copy', body, facts, scan FROM documents WHERE id = 1`
  await flow.source`UPDATE documents SET body = 'now it is small' WHERE id = 2`
  await flow.source`UPDATE documents SET scan = NULL WHERE id = 3`
  await untilEqual()
  // Row 3 was a copy of row 1, and one content is stored once.
  expect(blobFiles(folder.path)).toHaveLength(6)
  expect(Math.max(...(await recordSizes()))).toBeLessThan(2_000)
})

test('a change that does not touch a large value keeps its claim, and the subscriber does not fetch it', async () => {
  await untilEqual()
  // Nobody could fetch anything: the change arrives none the less, as its patch holds the title alone.
  await flow.source`UPDATE documents SET title = 'second' WHERE id = 1`
  await eventually(async () => (await recordSizes()).length >= 6, 'the change is published')
  await untilEqual()
  expect(Math.max(...(await recordSizes()))).toBeLessThan(2_000)
})

test('while the store is away the source waits, sends nothing, says why, and goes on', async () => {
  const before = (await recordSizes()).length
  renameSync(`${folder.path}/blobs`, `${folder.path}/away`)
  await insert(4, 500_000, 500_000, 500_000)
  await flow.source`INSERT INTO documents VALUES (5, 'behind it', 'x', '1', '\\x00')`
  await eventually(
    () => running.log().includes('the source waits for the blob store'),
    () => running.log(),
  )
  expect(await recordSizes()).toHaveLength(before)
  renameSync(`${folder.path}/away`, `${folder.path}/blobs`)
  await untilEqual()
  expect(Math.max(...(await recordSizes()))).toBeLessThan(2_000)
})

test('a blob with another content is refused: its record is a dead letter, others go on, and the next change heals it', async () => {
  running.kill('SIGTERM')
  await running.exited
  running = flow.start('capture', 'erp')
  const known = new Set(blobFiles(folder.path))
  await flow.source.unsafe(`INSERT INTO documents (id, title, body) VALUES (6, 'bad', ${randomText(300_000)})`)
  await flow.source`INSERT INTO documents (id, title) VALUES (7, 'good')`
  await eventually(
    () => blobFiles(folder.path).length > known.size,
    () => running.log(),
  )
  const [fresh] = blobFiles(folder.path).filter((file) => !known.has(file))
  writeFileSync(fresh!, 'x'.repeat(statSync(fresh!).size))
  const delivering = flow.start('deliver', 'warehouse')
  const title = async (id: number) => (await flow.warehouse`SELECT title FROM documents WHERE id = ${id}`)[0]?.title
  await eventually(
    async () => (await title(7)) === 'good',
    () => delivering.log(),
  )
  const { kafka, declaration } = flow.environment()
  const letters: string[] = []
  await eventually(
    async () => {
      await readTopic(kafka, declaration.kafka.brokers, `${flow.prefix}.warehouse.dead-letter`, ({ headers }) => {
        letters.push(String(headers['tributary.code']))
      })
      return letters.length > 0
    },
    () => delivering.log(),
  )
  expect(letters).toContain('blob-corrupt')
  expect(await title(6)).toBeUndefined()
  await flow.source.unsafe(`UPDATE documents SET body = ${randomText(300_000)} WHERE id = 6`)
  await untilEqual()
})
