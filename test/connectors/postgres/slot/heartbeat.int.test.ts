import postgres from 'postgres'
import { expect, it, onTestFinished } from 'vitest'
import type { Notice } from '../../../../connectors/postgres/notice.ts'
import {
  HEARTBEAT_PREFIX,
  type HeartbeatHeard,
  type HeartbeatOptions,
  parseHeartbeat,
  startHeartbeat,
} from '../../../../connectors/postgres/slot/heartbeat.ts'
import { type OwnDatabase, ownDatabase, until } from '../own-database.ts'

const now = () => BigInt(Date.now()) * 1_000n

function start(database: OwnDatabase, more: Partial<HeartbeatOptions> = {}) {
  const notices: Notice[] = []
  const heard: HeartbeatHeard[] = []
  const beating = startHeartbeat({
    sql: database.sql,
    source: 'shop',
    slot: database.slot,
    everyMs: 20,
    now,
    onNotice: (notice) => notices.push(notice),
    onHeard: (one) => heard.push(one),
    ...more,
  })
  onTestFinished(() => beating.close())
  return { notices, heard, beating }
}

/**
 * When our heartbeats were sent that the slot has, as the stream would see them. The slot stays where it was made: one that moves on is read
 * from once the server has seen a moment without open transactions in any database.
 */
async function sentThroughSlot({ sql, slot }: OwnDatabase): Promise<bigint[]> {
  const messages = await sql<{ data: Buffer }[]>`
    SELECT data FROM pg_logical_slot_peek_binary_changes(${slot}, NULL, NULL, 'proto_version', '1', 'publication_names', 'nothing', 'messages', 'true')`
  return messages.flatMap(({ data }) => {
    const sentAt = data.includes(HEARTBEAT_PREFIX) ? parseHeartbeat(data.subarray(data.indexOf('{')), slot) : undefined
    return sentAt === undefined ? [] : [sentAt]
  })
}

it('comes back through the slot at every interval without any other traffic, and tells its round-trip', async () => {
  const database = await ownDatabase()
  await database.sql`CREATE PUBLICATION nothing`
  await database.sql`SELECT pg_create_logical_replication_slot(${database.slot}, 'pgoutput')`
  const { notices, heard, beating } = start(database)
  let sent: readonly bigint[] = []
  await until('three came back', async () => {
    sent = await sentThroughSlot(database)
    return sent.length >= 3
  })
  beating.heard(sent[0]!)
  // The clock of another machine.
  beating.heard(now() + 60_000_000n)
  beating.close()
  beating.heard(sent[1]!)
  expect(heard).toHaveLength(2)
  expect(heard[0]!.roundTripSeconds).toBeGreaterThanOrEqual(0)
  expect(heard[0]!.roundTripSeconds).toBeLessThan(60)
  expect(heard[1]!.roundTripSeconds).toBe(0)
  expect(notices).toEqual([])
})

it('is told once a kind when it cannot be sent, and goes on when it can', async () => {
  const database = await ownDatabase()
  const { sql } = database
  const role = `${database.slot}_role`
  await sql.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD 'heartbeat'`)
  onTestFinished(async () => {
    await sql.unsafe(`DROP ROLE ${role}`)
  })
  await sql`REVOKE EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text, boolean) FROM PUBLIC`
  const url = new URL(database.url)
  url.username = role
  url.password = 'heartbeat'
  const asRole = postgres(url.href, { max: 1, onnotice: () => {} })
  onTestFinished(() => asRole.end({ timeout: 2 }))
  let asked = 0
  const counting: typeof now = () => {
    asked++
    return now()
  }
  await sql`CREATE PUBLICATION nothing`
  await sql`SELECT pg_create_logical_replication_slot(${database.slot}, 'pgoutput')`
  const { notices } = start(database, { sql: asRole, now: counting })
  await until('it was tried three times', () => asked >= 3)
  expect(notices).toEqual([
    {
      code: 'heartbeat-failed',
      level: 'warn',
      message: expect.stringMatching(
        /permission denied .* Grant the right to the user of the source.* Capture goes on without heartbeats\./,
      ),
    },
  ])
  await sql`GRANT EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text, boolean) TO PUBLIC`
  await until('one came back', async () => (await sentThroughSlot(database)).length > 0)
  expect(notices).toHaveLength(1)
})

it('is not sent when it is off', async () => {
  const database = await ownDatabase()
  await database.sql`CREATE PUBLICATION nothing`
  await database.sql`SELECT pg_create_logical_replication_slot(${database.slot}, 'pgoutput')`
  start(database, { everyMs: 0 })
  const { beating } = start(database, { slot: 'another' })
  await until('another has sent some', async () => {
    const [row] = await database.sql`
      SELECT count(*)::int AS messages FROM pg_logical_slot_peek_binary_changes(${database.slot}, NULL, NULL, 'proto_version', '1', 'publication_names', 'nothing', 'messages', 'true')`
    return row!.messages >= 2
  })
  beating.close()
  expect(await sentThroughSlot(database)).toEqual([])
})
