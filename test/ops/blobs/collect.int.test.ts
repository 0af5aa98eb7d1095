import { randomBytes } from 'node:crypto'
import { utimesSync } from 'node:fs'
import { basename } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createProducer } from '../../../connectors/kafka/producer.ts'
import { readTopic } from '../../../connectors/kafka/read-topic.ts'
import { openBlobStore } from '../../../ops/process/blobs.ts'
import { blobOf, putWhole } from '../../contract/blob-store-contract.ts'
import { blobFiles, DOCUMENTS, declareDocuments, makeFolder, randomText } from '../../flow/claims.ts'
import { createFlow, eventually, type Flow } from '../../support/flow.ts'

const folder = makeFolder()
let flow: Flow

beforeAll(async () => {
  flow = await createFlow((prefix) => declareDocuments(prefix, `${folder.path}/blobs`), DOCUMENTS)
  await flow.provision()
})

afterAll(async () => {
  await flow?.close()
  folder.remove()
})

test('collecting keeps what an entity’s topic or a dead letter refers to, and removes what is old and stray', async () => {
  const { kafka, declaration } = flow.environment()
  const capture = flow.start('capture', 'erp')
  await flow.source.unsafe(`INSERT INTO documents (id, body) VALUES (1, ${randomText(300_000)})`)
  const records: Buffer[] = []
  await eventually(async () => {
    await readTopic(kafka, declaration.kafka.brokers, `${flow.prefix}.document`, ({ value }) => {
      if (value !== null) records.push(value)
    })
    return records.length > 0
  }, capture.log)
  const [onTopic] = blobFiles(folder.path).map((file) => basename(file))

  const store = openBlobStore(declaration)!
  const [stray, inDeadLetter] = [blobOf(randomBytes(1_000)), blobOf(randomBytes(2_000))]
  await putWhole(store, stray)
  await putWhole(store, inDeadLetter)
  const record = Buffer.from(records[0]!.toString('latin1').replaceAll(onTopic!, inDeadLetter.sha256), 'latin1')
  const producer = createProducer(kafka)
  await producer.connect()
  await producer.send([
    { topic: `${flow.prefix}.warehouse.dead-letter`, key: 'document/2', value: record, headers: {} },
  ])
  await producer.close()

  const collect = async (...flags: string[]) => {
    const { code, stdout, stderr } = await flow.run('blobs', 'collect', '--json', ...flags)
    expect(stderr).toBe('')
    expect(code).toBe(0)
    return JSON.parse(stdout) as unknown
  }
  expect(await collect()).toMatchObject({ removed: 0, referenced: 0, young: 3 })
  const old = new Date(Date.now() - 15 * 86_400_000)
  for (const file of blobFiles(folder.path)) utimesSync(file, old, old)
  expect(await collect('--dry-run')).toMatchObject({ dryRun: true, removed: 1, removedBytes: 1_000, referenced: 2 })
  expect(await collect()).toMatchObject({ removed: 1, referenced: 2, young: 0, renewed: 0 })
  const left = blobFiles(folder.path).map((file) => basename(file))
  expect(left.sort()).toEqual([onTopic, inDeadLetter.sha256].sort())
})

test('without a store, and with a topic that is not there, nothing is collected', async () => {
  const admin = flow.environment().kafka.admin()
  await admin.connect()
  await admin.deleteTopics({ topics: [`${flow.prefix}.warehouse.dead-letter`] })
  await admin.disconnect()
  const stray = blobOf(randomBytes(1_000))
  const store = openBlobStore(flow.declaration())!
  await putWhole(store, stray)
  const old = new Date(Date.now() - 15 * 86_400_000)
  for (const file of blobFiles(folder.path)) utimesSync(file, old, old)
  const missing = await flow.run('blobs', 'collect')
  expect(missing).toMatchObject({ code: 1 })
  expect(missing.stderr).toContain('does not exist')
  expect((await store.get(stray.claim)).equals(stray.bytes)).toBe(true)
  flow.writeDeclaration(declareDocuments(flow.prefix, ''))
  expect(await flow.run('blobs', 'collect')).toMatchObject({ code: 2 })
})
