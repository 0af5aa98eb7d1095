import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readTopic } from '../../connectors/kafka/read-topic.ts'
import { createFlow, eventually, type Flow, type FlowProcess } from '../support/flow.ts'
import { blobFiles, DOCUMENTS, declareDocuments, makeFolder } from './claims.ts'

const VALUE_BYTES = 50_000_000
const MEMORY_MAX_MB = 300

const folder = makeFolder()
let flow: Flow
let capture: FlowProcess

beforeAll(async () => {
  flow = await createFlow((prefix) => declareDocuments(prefix, `${folder.path}/blobs`), DOCUMENTS)
  await flow.provision()
  capture = flow.start('capture', 'erp')
  await flow.source`INSERT INTO documents (id) VALUES (0)`
  await eventually(
    async () => (await published()) === 1,
    () => capture.log(),
  )
})

afterAll(async () => {
  await flow?.close()
  folder.remove()
})

async function published(): Promise<number> {
  let records = 0
  const { kafka, declaration } = flow.environment()
  await readTopic(kafka, declaration.kafka.brokers, `${flow.prefix}.document`, ({ value }) => {
    if (value !== null) records++
  })
  return records
}

/** The most memory that a process has had; where the system does not keep it, what it has now. */
function peakMegabytes(pid: number): number {
  const kilobytes =
    process.platform === 'linux'
      ? /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]
      : execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })
  return Math.round(Number(kilobytes) / 1024)
}

test(`rows of 50 MB of text and of bytea, one behind the other, are captured in less than ${MEMORY_MAX_MB} MB`, async () => {
  await flow.source.unsafe(
    `INSERT INTO documents (id, body) SELECT n, repeat(md5(n::text), ${VALUE_BYTES / 32}) FROM generate_series(1, 2) n`,
  )
  await flow.source.unsafe(
    `INSERT INTO documents (id, scan) SELECT n, decode(repeat(md5(n::text), ${VALUE_BYTES / 16}), 'hex') FROM generate_series(3, 4) n`,
  )
  await eventually(
    async () => (await published()) === 5,
    () => capture.log(),
  )
  expect(blobFiles(folder.path)).toHaveLength(4)
  expect(peakMegabytes(capture.child.pid!)).toBeLessThan(MEMORY_MAX_MB)
})
