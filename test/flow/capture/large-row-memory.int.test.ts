import { afterAll, beforeAll, expect, test } from 'vitest'
import { readTopic } from '../../../connectors/kafka/read-topic.ts'
import { isFence } from '../../../schemas/fence.ts'
import { createFlow, eventually, type Flow, type FlowProcess } from '../../support/flow.ts'
import { peakMegabytes } from '../../support/process-usage.ts'
import { blobFiles, DOCUMENTS, declareDocuments, makeFolder } from '../claims.ts'

const VALUE_BYTES = 50_000_000
const MEMORY_MAX_MB = 300

const folder = makeFolder()
let flow: Flow
let capture: FlowProcess

beforeAll(async () => {
  flow = await createFlow((prefix) => declareDocuments(prefix, `${folder.path}/blobs`), DOCUMENTS)
  await flow.provision()
  await insert(1)
  capture = flow.start('capture', 'erp')
})

afterAll(async () => {
  await flow?.close()
  folder.remove()
})

/** Two rows with a text and two with bytes. */
async function insert(first: number): Promise<void> {
  await flow.source.unsafe(
    `INSERT INTO documents (id, body) SELECT n, repeat(md5(n::text), ${VALUE_BYTES / 32}) FROM generate_series(${first}, ${first + 1}) n`,
  )
  await flow.source.unsafe(
    `INSERT INTO documents (id, scan) SELECT n, decode(repeat(md5(n::text), ${VALUE_BYTES / 16}), 'hex') FROM generate_series(${first + 2}, ${first + 3}) n`,
  )
}

async function expectCaptured(records: number): Promise<void> {
  await eventually(
    async () => (await published()) === records,
    () => capture.log(),
  )
  expect(peakMegabytes(capture.child.pid!)).toBeLessThan(MEMORY_MAX_MB)
}

async function published(): Promise<number> {
  let records = 0
  const { kafka, declaration } = flow.environment()
  await readTopic(kafka, declaration.kafka.brokers, `${flow.prefix}.document`, (record) => {
    if (!isFence(record)) records++
  })
  return records
}

// One process for all: its peak is that of everything so far.

test(`rows of 50 MB of text and of bytea are read by a snapshot in less than ${MEMORY_MAX_MB} MB`, async () => {
  await expectCaptured(4)
  expect(blobFiles(folder.path)).toHaveLength(4)
})

test(`such rows, inserted one behind the other, are captured in less than ${MEMORY_MAX_MB} MB`, async () => {
  await insert(5)
  await expectCaptured(8)
  expect(blobFiles(folder.path)).toHaveLength(8)
})

test(`changes of another field in such rows are completed in less than ${MEMORY_MAX_MB} MB`, async () => {
  await flow.source`UPDATE documents SET title = 'changed'`
  await expectCaptured(16)
  expect(blobFiles(folder.path)).toHaveLength(8)
})
