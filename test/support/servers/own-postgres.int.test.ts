import postgres from 'postgres'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventually } from '../flow.ts'
import { type OwnPostgres, startOwnPostgres } from './own-postgres.ts'

let server: OwnPostgres

beforeAll(async () => {
  server = await startOwnPostgres({ walSegmentMB: 1, settings: { max_slot_wal_keep_size: '64MB' } })
  await ask(server, 'CREATE TABLE one (id int PRIMARY KEY)')
})
afterAll(async () => await server.close())

async function ask(at: OwnPostgres, text: string): Promise<readonly string[]> {
  const sql = postgres(at.url, { max: 1, onnotice: () => {} })
  try {
    return (await sql.unsafe(text).values()).map(([value]) => String(value))
  } finally {
    await sql.end()
  }
}

it('decodes logically, with the settings asked for', async () => {
  expect(await ask(server, 'SHOW wal_level')).toEqual(['logical'])
  expect(await ask(server, 'SHOW max_slot_wal_keep_size')).toEqual(['64MB'])
  expect(await ask(server, 'SHOW wal_segment_size')).toEqual(['1MB'])
})

it('keeps what was committed before a kill and an immediate stop', async () => {
  await ask(server, 'INSERT INTO one VALUES (1)')
  await server.kill()
  await expect(ask(server, 'SELECT 1')).rejects.toThrow('ECONNREFUSED')
  await server.start()
  await ask(server, 'INSERT INTO one VALUES (2)')
  await server.stop('immediate')
  await server.start()
  expect(await ask(server, 'SELECT id FROM one ORDER BY id')).toEqual(['1', '2'])
})

it('is the same cluster, further back in its log, after an older copy is restored', async () => {
  const identifier = 'SELECT system_identifier FROM pg_control_system()'
  const timeline = 'SELECT timeline_id FROM pg_control_checkpoint()'
  const before = [...(await ask(server, identifier)), ...(await ask(server, timeline))]
  const copy = await server.copyData()
  await ask(server, 'INSERT INTO one SELECT generate_series(100, 200)')
  const [end] = await ask(server, 'SELECT pg_current_wal_lsn()')
  await server.restore(copy)
  expect(await ask(server, 'SELECT count(*) FROM one WHERE id >= 100')).toEqual(['0'])
  expect(await ask(server, `SELECT pg_current_wal_lsn() < '${end}'`)).toEqual(['true'])
  expect([...(await ask(server, identifier)), ...(await ask(server, timeline))]).toEqual(before)
})

it('has a standby that follows it, and is a primary on another timeline once promoted', async () => {
  await ask(server, 'INSERT INTO one VALUES (10) ON CONFLICT DO NOTHING')
  const standby = await server.standbyFromCopy()
  try {
    expect(await ask(standby, 'SELECT pg_is_in_recovery()')).toEqual(['true'])
    await ask(server, 'INSERT INTO one VALUES (11)')
    await eventually(
      async () => (await ask(standby, 'SELECT count(*) FROM one WHERE id = 11'))[0] === '1',
      'the standby has the row',
    )
    await server.stop('fast')
    await standby.promote()
    await ask(standby, 'INSERT INTO one VALUES (12)')
    await ask(standby, 'CHECKPOINT')
    expect(await ask(standby, 'SELECT timeline_id FROM pg_control_checkpoint()')).toEqual(['2'])
  } finally {
    await standby.close()
  }
})
