import postgres from 'postgres'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { failoverNotice, loadFailover } from '../../../../connectors/postgres/slot/failover.ts'
import { createSlot } from '../../../../connectors/postgres/slot/slot.ts'
import { type OwnPostgres, startOwnPostgres } from '../../../support/servers/own-postgres.ts'
import { until } from '../own-database.ts'

let primary: OwnPostgres

beforeAll(async () => {
  primary = await startOwnPostgres()
})
afterAll(async () => await primary.close())

function connect(server: OwnPostgres, more: object = {}): postgres.Sql {
  const sql = postgres(server.url, { max: 2, onnotice: () => {}, ...more })
  onTestFinished(() => sql.end({ timeout: 2 }))
  return sql
}

const never = new AbortController().signal

it('makes failover slots, and says of another one how to make it so', async () => {
  const sql = connect(primary)
  await createSlot(sql, 'new_one', never)
  await sql`SELECT pg_create_logical_replication_slot('old_one', 'pgoutput')`
  expect(failoverNotice((await loadFailover(sql, 'new_one'))!)).toBeUndefined()
  expect(failoverNotice((await loadFailover(sql, 'old_one'))!)?.code).toBe('slot-without-failover')
  // As the notice says.
  const replication = connect(primary, { max: 1, fetch_types: false, connection: { replication: 'database' } })
  await replication.unsafe('ALTER_REPLICATION_SLOT old_one ( FAILOVER true )').simple()
  expect(failoverNotice((await loadFailover(sql, 'old_one'))!)).toBeUndefined()
  expect(await loadFailover(sql, 'no_such_slot')).toBeUndefined()
  await sql`SELECT pg_drop_replication_slot('old_one')`
})

it('goes on from the slot at the standby after a failover: nothing that was not confirmed is missing', async () => {
  const standby = await primary.standbyFromCopy()
  onTestFinished(() => standby.close())
  // A reader of a failover slot waits for the standby, so that it never knows more than the standby does.
  await primary.configure({ synchronized_standby_slots: standby.primarySlot })
  const before = connect(primary)
  const after = connect(standby)
  await before`CREATE TABLE customer (id int PRIMARY KEY)`
  await before`CREATE PUBLICATION captured FOR TABLE customer`
  await createSlot(before, 'capture', never)
  await before`INSERT INTO customer VALUES (1)`
  await until('the slot is at the standby, ready for a failover', async () => {
    // A slot settles at the standby only as the primary's moves; while none does, the standby looks ever more seldom, up to 30 s.
    await before`SELECT pg_log_standby_snapshot()`
    await before`SELECT pg_replication_slot_advance('capture', pg_current_wal_lsn())`
    const [slot] = await after`
      SELECT synced AND NOT temporary AND invalidation_reason IS NULL AS ready FROM pg_replication_slots WHERE slot_name = 'capture'`
    return slot?.ready === true
  })
  await before`SELECT pg_replication_slot_advance('capture', pg_current_wal_lsn())`
  await before`INSERT INTO customer VALUES (2)`
  const [end] = await before<{ lsn: string }[]>`SELECT pg_current_wal_lsn()::text AS lsn`
  await until('the standby has it all', async () => {
    const [row] = await after`SELECT pg_last_wal_replay_lsn() >= ${end!.lsn}::pg_lsn AS has`
    return row!.has === true
  })
  await primary.kill()
  await standby.promote()
  await after`INSERT INTO customer VALUES (3)`
  const changes = await after<{ data: Buffer }[]>`
    SELECT data FROM pg_logical_slot_get_binary_changes('capture', NULL, NULL, 'proto_version', '1', 'publication_names', 'captured')`
  const inserted = changes.map(({ data }) => data).filter((data) => data[0] === 'I'.charCodeAt(0))
  const ids = inserted.map((data) => data.toString('utf8').at(-1))
  expect(ids.slice(-2)).toEqual(['2', '3'])
  expect(await loadFailover(after, 'capture')).toMatchObject({ failover: true, canFailOver: true })
})

it('makes an ordinary slot at a standby, where failover slots are refused', async () => {
  await primary.start()
  const standby = await primary.standbyFromCopy()
  onTestFinished(() => standby.close())
  const before = connect(primary)
  const creating = createSlot(connect(standby), 'at_standby', never)
  let done = false
  creating.then(
    () => {
      done = true
    },
    () => {
      done = true
    },
  )
  await until('the slot is made', async () => {
    // It waits for the primary to tell which transactions run.
    await before`SELECT pg_log_standby_snapshot()`
    return done
  })
  await creating
  expect(await loadFailover(connect(standby), 'at_standby')).toMatchObject({ failover: false, canFailOver: false })
})
