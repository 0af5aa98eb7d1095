import { afterAll, beforeAll, expect, test } from 'vitest'
import { createProducer, type OutgoingRecord } from '../../../connectors/kafka/producer.ts'
import { parseRequest } from '../../../connectors/postgres/request.ts'
import { clearedRecord, deadLetterRecord } from '../../../producers/capture-dead-letter.ts'
import { CUSTOMERS, declareCustomers } from '../../flow/customers.ts'
import { expectError, expectReadable, runCli, startCli } from '../../support/cli.ts'
import { createFlow, eventually, type Flow } from '../../support/flow.ts'

/** The command against a topic that this test writes, and a slot that it reads itself: no capture process runs. */
let flow: Flow
const SLOT = 'watching'

beforeAll(async () => {
  flow = await createFlow(
    declareCustomers,
    `${CUSTOMERS}
     UPDATE customers SET credit = 'NaN' WHERE id IN (1, 2);`,
  )
  await flow.provision()
  const slot = `${flow.prefix}_${SLOT}`
  await flow.source`SELECT pg_create_logical_replication_slot(${slot}, 'pgoutput')`
  await write(['1', '2', '3', '999', 'no number'].map((key) => letter(key, 10n)))
})

afterAll(async () => {
  await flow?.close()
})

function head(key: string, position: bigint) {
  return { entity: 'customer', key, version: { epoch: 1n, position, ordinal: 0 } }
}

function letter(key: string, position: bigint): OutgoingRecord {
  const committedAt = BigInt(Date.now()) * 1_000n - 7_200_000_000n
  const source = {
    system: 'postgres',
    instance: 'erp',
    object: 'public.customers',
    position: '0/A',
    transaction: '7',
    committedAt,
    capturedAt: committedAt,
  }
  const reason = 'it is not a finite number, which decimal(12,2) needs'
  return deadLetterRecord(flow.prefix, 'erp', {
    ...head(key, position),
    source,
    field: 'credit',
    reason,
    since: committedAt,
  })
}

const cleared = (key: string, position: bigint) => clearedRecord(flow.prefix, 'erp', head(key, position))

async function write(records: readonly OutgoingRecord[]): Promise<void> {
  const producer = createProducer(flow.environment().kafka)
  await producer.connect()
  await producer.send(records)
  await producer.close()
}

const dlq = (...args: string[]) => runCli(['dlq', ...args, '-f', flow.file], flow.env)

let seen = 0

/**
 * The requests in the log since the last call. The slot stays where it was made: one that moves on is read from once the server has seen a
 * moment without open transactions in any database.
 */
async function requests(): Promise<unknown[]> {
  // The last argument flushes: what was committed before may not be in the log's files yet, and the slot reads those.
  await flow.source`SELECT pg_logical_emit_message(false, 'tests', '', true)`
  const all = await flow.source<{ data: Buffer }[]>`
    SELECT data FROM pg_logical_slot_peek_binary_changes(${`${flow.prefix}_${SLOT}`}, NULL, NULL,
      'proto_version', '1', 'publication_names', 'none', 'messages', 'true')`
  const rows = all.slice(seen)
  seen = all.length
  return rows
    .filter(({ data }) => data[0] === 'M'.charCodeAt(0))
    .map(({ data }) => {
      // kind, flags, LSN (8), prefix with its NUL, length (4), content
      const prefixEnd = data.indexOf(0, 10)
      return { flags: data[1], prefix: data.toString('latin1', 10, prefixEnd), content: data.subarray(prefixEnd + 5) }
    })
    .filter(({ prefix }) => prefix !== 'tests')
    .map(({ flags, prefix, content }) => {
      expect([flags, prefix]).toEqual([1, 'tributary'])
      return parseRequest(content)
    })
}

test('list counts and lists them; status counts them', async () => {
  const [text, json] = await Promise.all([dlq('list', 'erp', '--limit', '2'), dlq('list', 'erp', '--json')])
  expect([text.code, text.stderr]).toStrictEqual([0, ''])
  expectReadable(text.stdout)
  expect(text.stdout).toContain('5 open dead letters of source erp')
  expect(text.stdout).toContain('3 more')
  expect(JSON.parse(json.stdout)).toMatchObject({
    ok: true,
    open: 5,
    groups: [{ entity: 'customer', field: 'credit', count: 5 }],
  })
  const status = await runCli(['status', '-f', flow.file, '--json'], flow.env)
  expect(JSON.parse(status.stdout).sources).toMatchObject([{ source: 'erp', deadLetters: 5 }])
})

test('show says what the source has now, without personal values', async () => {
  const bad = await dlq('show', 'erp', 'customer', '1')
  expect([bad.code, bad.stderr]).toStrictEqual([0, ''])
  expectReadable(bad.stdout)
  expect(bad.stdout).toMatch(/credit +decimal\(12,2\) +does not fit: it is not a finite number/)
  expect(bad.stdout).toContain('still cannot be encoded')
  const good = await dlq('show', 'erp', 'customer', '3')
  expect(good.stdout).toContain('would be encoded now')
  expect(good.stdout).toContain('3.75')
  for (const { stdout } of [bad, good]) expect(stdout).not.toMatch(/Persona \d/)
  expect((await dlq('show', 'erp', 'customer', '3', '--show-personal')).stdout).toContain('Persona 3')
  for (const key of ['999', 'no number'])
    expect(JSON.parse((await dlq('show', 'erp', 'customer', key, '--json')).stdout)).toMatchObject({
      ok: true,
      now: { state: 'gone' },
    })
})

test('replay --dry-run asks for nothing, --no-wait only asks: with the keys, for this slot alone', async () => {
  await requests()
  const dry = await dlq('replay', 'erp', '--dry-run', '--json')
  expect(JSON.parse(dry.stdout)).toMatchObject({ ok: true, dryRun: true, rows: 5, requests: 1 })
  expect(await requests()).toEqual([])
  const sent = await dlq('replay', 'erp', 'customer', '3', '--no-wait')
  expect([sent.code, sent.stderr]).toStrictEqual([0, ''])
  const slot = flow.declaration().sources.get('erp')!.slot
  expect(await requests()).toEqual([{ kind: 'replay', slot, entity: 'customer', keys: ['3'] }])
  const none = await dlq('replay', 'erp', '--reason', 'nothing says this')
  expect([none.code, none.stdout]).toStrictEqual([0, 'No open dead letter of source erp is to be replayed.\n'])
  expect(await requests()).toEqual([])
})

test('replay waits until each is gone or replaced by a newer one, and says which remained and why', async () => {
  const replay = startCli(['dlq', 'replay', 'erp', '-f', flow.file], flow.env)
  await eventually(async () => (await requests()).length === 1, 'the request is in the log', 30_000)
  await write([cleared('1', 20n), cleared('3', 20n), cleared('999', 20n), cleared('no number', 20n)])
  await write([letter('2', 20n)])
  const { code, stdout } = await replay.exited
  expectReadable(stdout)
  expect(stdout).toContain('No capture process reads erp')
  expect(stdout).toContain('4 published or gone, 1 still cannot be encoded, 0 not answered.')
  expect(stdout).toContain('it is not a finite number')
  expect(code).toBe(1)
})

test('without an answer it gives up, says that the request is kept, and fails', async () => {
  const { code, stdout } = await dlq('replay', 'erp', '--timeout', '1', '--json')
  expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: { code: 'request-unanswered' }, unanswered: 1 })
  expect(code).toBe(1)
})

test('a key that is not there is told', async () => {
  await expectError(['dlq', 'show', 'erp', 'customer', '3', '-f', flow.file], flow.env, {
    code: 'dead-letter-missing',
    exitCode: 1,
    says: ['no open dead letter of customer', 'tributary dlq list erp'],
  })
})
