import { afterAll, beforeAll, expect, test } from 'vitest'
import { createProducer, type OutgoingRecord, type Producer } from '../../../connectors/kafka/producer.ts'
import { readTopic } from '../../../connectors/kafka/read-topic.ts'
import { LetterScan } from '../../../ops/dead-letters/subscriber/scan.ts'
import { deltaSchema, valueSubject } from '../../../schemas/avro.ts'
import { createDeltaEncoder } from '../../../schemas/codec.ts'
import {
  type CommandDone,
  formatMessage,
  parseMessage,
  type SubscriberCommand,
} from '../../../schemas/subscriber-command.ts'
import { CUSTOMERS, declareCustomers } from '../../flow/customers.ts'
import { expectError, expectReadable, runCli, startCli } from '../../support/cli.ts'
import { createFlow, eventually, type Flow } from '../../support/flow.ts'
import { letterRecord, type SampleLetter } from './subscriber/letters.ts'

/** The command against topics that this test writes: it is the owner of all keys itself, no delivery process runs. */
let flow: Flow
let producer: Producer
let topic: string
let commands: string
const HOUR_MS = 3_600_000

beforeAll(async () => {
  flow = await createFlow(declareCustomers, CUSTOMERS)
  await flow.provision()
  topic = `${flow.prefix}.warehouse.dead-letter`
  commands = `${flow.prefix}.warehouse.commands`
  producer = createProducer(flow.environment().kafka)
  await producer.connect()
})

afterAll(async () => {
  await producer?.close()
  await flow?.close()
})

const dlq = (...args: string[]) => runCli(['dlq', ...args, '-f', flow.file], flow.env)
const letter = (key: string, sample: SampleLetter = {}) =>
  letterRecord(topic, key, { sinceMs: Date.now() - HOUR_MS, ...sample })
const ended = (key: string): OutgoingRecord => ({ topic, key: `customer/${key}`, value: null, headers: {} })

/** The commands on the topic that nobody has answered, in order. */
async function unanswered(): Promise<SubscriberCommand[]> {
  const { kafka, declaration } = flow.environment()
  const open = new Map<string, SubscriberCommand>()
  await readTopic(kafka, declaration.kafka.brokers, commands, ({ key, value }) => {
    const message = parseMessage(key, value)
    if (message?.kind === 'unreadable') throw new Error(message.reason)
    if (message?.kind === 'done') open.delete(message.id)
    else if (message !== null && message.kind !== 'progress') open.set(message.id, message)
  })
  return [...open.values()]
}

/** Answers what is asked until `count` commands were answered. */
async function answer(
  count: number,
  resultOf: (command: SubscriberCommand) => Pick<CommandDone, 'result' | 'code'>,
): Promise<SubscriberCommand[]> {
  const answered: SubscriberCommand[] = []
  await eventually(
    async () => {
      const asked = await unanswered()
      const answers = asked.map((command) => ({
        kind: 'done' as const,
        id: command.id,
        of: command.kind,
        ...resultOf(command),
        records: 1,
        at: new Date().toISOString(),
      }))
      if (answers.length > 0)
        await producer.send(answers.map((one) => ({ topic: commands, ...formatMessage(one), headers: {} })))
      answered.push(...asked)
      return answered.length >= count
    },
    `${count} commands were asked`,
    60_000,
  )
  return answered
}

const applied = { result: 'applied', code: null } as const

test('list counts the newest of each key, retrying and dead apart, and filters; status counts them', async () => {
  await producer.send([
    letter('1', { code: 'OLD_CODE' }),
    letter('1'),
    letter('2', { state: 'retrying' }),
    letter('3', { code: 'INVALID_EMAIL', sinceMs: Date.now() - 48 * HOUR_MS }),
    letter('4'),
    ended('4'),
  ])
  const [text, json, filtered] = await Promise.all([
    dlq('list', 'warehouse'),
    dlq('list', 'warehouse', '--json', '--limit', '1'),
    dlq('list', 'warehouse', '--json', '--older-than', '1d', '--state', 'dead', '--code', 'INVALID_EMAIL'),
  ])
  // A machine that is slow today has progress on stderr.
  expect(text.code).toBe(0)
  expectReadable(text.stdout)
  expect(text.stdout).toContain('3 open dead letters of subscriber warehouse: 2 dead, 1 retrying.')
  expect(text.stdout).toMatch(/customer +sales +INVALID /)
  expect(JSON.parse(json.stdout)).toMatchObject({
    ok: true,
    open: 3,
    groups: [
      { code: 'INVALID', owner: 'sales', dead: 1, retrying: 1 },
      { code: 'INVALID_EMAIL', dead: 1, retrying: 0 },
    ],
    entries: [{ key: '3' }],
  })
  expect(JSON.parse(filtered.stdout)).toMatchObject({ open: 1, entries: [{ key: '3', code: 'INVALID_EMAIL' }] })
  const status = await runCli(['status', '-f', flow.file, '--json'], flow.env)
  expect(JSON.parse(status.stdout).subscribers).toMatchObject([{ deadLetters: 2, retryingLetters: 1 }])
})

test('more keys than are looked at in one reading are all found, once each', async () => {
  const { kafka, declaration } = flow.environment()
  await producer.send(Array.from({ length: 200 }, (_, at) => letter(`many-${at}`, { entity: 'other' })))
  const scan = await LetterScan.open(kafka, declaration.kafka.brokers, topic, undefined, 17)
  const found: string[] = []
  const isWanted = ({ head }: { head: { entity: string } }) => head.entity === 'other'
  for await (const letters of scan.read(isWanted, () => {}, new AbortController().signal))
    found.push(...letters.map(({ head }) => head.key))
  expect(found.length).toBe(200)
  expect(new Set(found).size).toBe(200)
})

test('show decodes the refused record and says what differs, without personal values', async () => {
  const { declaration, registry } = flow.environment()
  const entity = declaration.entities.get('customer')!
  const schema = deltaSchema(declaration.name, entity)
  const id = await registry.idOf(valueSubject(`${flow.prefix}.customer`), schema)
  const micros = BigInt(Date.now()) * 1_000n
  const value = createDeltaEncoder(
    entity,
    schema,
    id!,
  )({
    op: 'update',
    entity: 'customer',
    key: '5',
    version: { epoch: 1n, position: 7n, ordinal: 0 },
    changed: null,
    after: { id: 5n, name: 'Persona 5', credit: '3.75', note: null },
    source: {
      system: 'postgres',
      instance: 'erp',
      object: 'public.customers',
      position: '0/7',
      transaction: '1',
      committedAt: micros,
      capturedAt: micros,
    },
    origin: null,
    claims: {},
  })
  const good = letter('5', { value })
  await producer.send([
    { ...good, headers: { ...good.headers, '__connect.errors.topic': `${flow.prefix}.customer` } },
    letter('6', { value: Buffer.from('no delta') }),
  ])
  const [shown, personal, corrupt] = await Promise.all([
    dlq('show', 'warehouse', 'customer', '5'),
    dlq('show', 'warehouse', 'customer', '5', '--show-personal', '--json'),
    dlq('show', 'warehouse', 'customer', '6'),
  ])
  expect(shown.code).toBe(0)
  expectReadable(shown.stdout)
  expect(shown.stdout).toMatch(/≠ +credit +3\.75/)
  expect(shown.stdout).toContain('Nothing was ever applied to this key.')
  expect(shown.stdout).not.toContain('Persona 5')
  expect(JSON.parse(personal.stdout)).toMatchObject({ ok: true, decoded: { after: { name: 'Persona 5' } } })
  expect([corrupt.code, corrupt.stdout]).toStrictEqual([0, expect.stringContaining('cannot be decoded')])
  await expectError(['dlq', 'show', 'warehouse', 'customer', '99', '-f', flow.file], flow.env, {
    code: 'dead-letter-missing',
    exitCode: 1,
    says: ['no open dead letter of customer', 'tributary dlq list warehouse'],
  })
  await producer.send([ended('5'), ended('6')])
})

test('replay --dry-run asks for nothing; replay of one asks its owner with the place of the letter', async () => {
  const dry = await dlq('replay', 'warehouse', 'customer', '--dry-run', '--json')
  expect(JSON.parse(dry.stdout)).toMatchObject({ ok: true, dryRun: true, letters: 3 })
  expect(await unanswered()).toEqual([])
  const replay = startCli(['dlq', 'replay', 'warehouse', 'customer', '1', '-f', flow.file], flow.env)
  const asked = await answer(1, () => applied)
  const { code, stdout } = await replay.exited
  expect(code).toBe(0)
  expect(stdout).toContain('1 applied, 0 gone meanwhile, 0 failed, 0 not answered.')
  expect(asked).toMatchObject([{ kind: 'replay', entity: 'customer', key: '1', partition: 0 }])
  const { partition, offset } = (asked[0] as { letter: { partition: number; offset: bigint } }).letter
  const { kafka, declaration } = flow.environment()
  const places: string[] = []
  await readTopic(kafka, declaration.kafka.brokers, topic, (record) => {
    if (record.key?.toString() === 'customer/1') places.push(`${record.partition}/${record.offset}`)
  })
  expect(`${partition}/${offset}`).toBe(places.at(-1))
})

test('more than the window of outstanding commands are all asked; what failed is named, and the exit code says so', async () => {
  const keys = Array.from({ length: 1_200 }, (_, at) => `w${at}`)
  await producer.send(keys.map((key) => letter(key, { code: 'WINDOW' })))
  const replay = startCli(['dlq', 'replay', 'warehouse', '--code', 'WINDOW', '--json', '-f', flow.file], flow.env)
  await eventually(async () => (await unanswered()).length >= 1_000, 'the window is full', 60_000)
  expect((await unanswered()).length).toBe(1_000)
  const failing = { result: 'failed', code: 'STILL_BAD' } as const
  await answer(1_200, (command) => (command.key === 'w1' ? failing : applied))
  const { code, stdout } = await replay.exited
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({
    ok: false,
    error: { code: 'command-failed' },
    sent: 1_200,
    results: { applied: 1_199, failed: 1 },
    codes: { STILL_BAD: 1 },
    failures: [{ entity: 'customer', key: 'w1', code: 'STILL_BAD' }],
    unanswered: 0,
  })
})

test('without an answer it gives up, says that the commands are kept, and fails', async () => {
  const { code, stdout } = await dlq('replay', 'warehouse', 'customer', '1', '--timeout', '1', '--json')
  expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: { code: 'command-unanswered' }, unanswered: 1 })
  expect(code).toBe(1)
  await answer(1, () => applied)
})

test('discard records the reason; of many it wants to be told twice; of an entity without an owner it is done at once', async () => {
  const one = startCli(
    ['dlq', 'discard', 'warehouse', 'customer', '3', '--reason', 'sold\nelsewhere', '-f', flow.file],
    flow.env,
  )
  expect(await answer(1, () => ({ result: 'discarded', code: null }))).toMatchObject([
    { kind: 'discard', key: '3', reason: 'sold elsewhere' },
  ])
  const { code, stdout } = await one.exited
  expect([code, stdout]).toStrictEqual([0, expect.stringContaining('1 discarded')])

  const some = ['discard', 'warehouse', 'other', '--all', '--reason', 'not taken any more', '--json']
  expect(JSON.parse((await dlq(...some)).stdout)).toMatchObject({ ok: true, dryRun: true, letters: 200 })
  expect(await unanswered()).toEqual([])
  expect(JSON.parse((await dlq(...some, '--yes')).stdout)).toMatchObject({ ok: true, letters: 200, unowned: 200 })
  const left = await dlq('list', 'warehouse', '--entity', 'other', '--json')
  expect(JSON.parse(left.stdout)).toMatchObject({ open: 0 })
})

test('what cannot be meant is refused', async () => {
  const refused: readonly (readonly [says: string, ...args: string[]])[] = [
    ['are for subscribers', 'list', 'erp', '--code', 'X'],
    ['say --all', 'discard', 'warehouse', 'customer', '--reason', 'x'],
    ['--reason has 1 to 500', 'discard', 'warehouse', 'customer', '1', '--reason', ' '],
  ]
  const runs = await Promise.all(refused.map(([, ...args]) => dlq(...args, '--json')))
  for (const [at, { code, stdout }] of runs.entries()) {
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string } }
    expect([code, error.code, error.message]).toStrictEqual([2, 'usage', expect.stringContaining(refused[at]![0])])
  }
})
