import postgres from 'postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startCli } from '../../support/cli.ts'
import { eventually } from '../../support/flow.ts'
import { PASSWORDS, type SecuredServers, startSecuredServers } from './secured-servers.ts'

let servers: SecuredServers

beforeAll(async () => {
  servers = await startSecuredServers()
})
afterAll(async () => {
  await servers?.close()
})

test('a pipeline works over servers that ask for TLS and a user, and no password is in what it prints or serves', async () => {
  const { flow } = servers
  const env = { ...flow.env, TRIBUTARY_DEBUG: '1' }
  const told = new Map<string, string>()
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await startCli([...args, '-f', flow.file], env).exited
    told.set(args.join(' '), stdout + stderr)
    expect(code, `${args.join(' ')}: ${stdout}${stderr}`).toBe(0)
    return stdout
  }
  await run('validate')
  await run('provision')
  const running = startCli(['run', '-f', flow.file, '--port', '0', '--json', '--log-level', 'debug'], env)
  try {
    await eventually(() => running.stdout().includes('"ok":true'), 'it runs', 60_000)
    await eventually(async () => (await rows()) === 20, 'the snapshot is at the warehouse')
    await flow.source`UPDATE customers SET credit = 7 WHERE id = 1`
    await flow.source`DELETE FROM customers WHERE id = 2`
    await eventually(async () => (await rows()) === 19 && (await creditOf(1)) === '7.00', 'the changes are there')
    const { url } = JSON.parse(running.stdout()) as { url: string }
    const metrics = async () => await (await fetch(`${url}/metrics`)).text()
    await eventually(
      async () => /^tributary_server_up\{server="redis"\} 1$/m.test(await metrics()),
      'the exporter has looked',
    )
    expect(await metrics()).toMatch(/^tributary_server_up\{server="kafka"\} 1$/m)
    told.set('/metrics', await metrics())
    const status = JSON.parse(await run('status', '--json'))
    expect(status.subscribers[0]).toMatchObject({ deadLetters: 0, ledgerAnswers: true })
    expect(status.sources[0]).toMatchObject({ active: true })
    await expectAllEncrypted()
  } catch (error) {
    throw new Error(running.stderr().slice(-6_000), { cause: error })
  } finally {
    const { stdout, stderr } = await running.stop()
    told.set('run', stdout + stderr)
  }
  const secrets = [...Object.values(PASSWORDS), encodeURIComponent(PASSWORDS.redis), new URL(flow.sourceUrl).password]
  const found = [...told].filter(([, text]) => secrets.some((secret) => text.includes(secret))).map(([what]) => what)
  expect(found).toEqual([])
  expect(told.get('run')).toContain('kafkajs')
})

async function rows(): Promise<number> {
  return (await servers.flow.warehouse`SELECT FROM customers`).length
}

async function creditOf(id: number): Promise<string | undefined> {
  const [row] = await servers.flow.warehouse`SELECT credit FROM customers WHERE id = ${id}`
  return row?.credit
}

/** Every connection of ours to the databases: questions, the stream, and the warehouse. */
async function expectAllEncrypted(): Promise<void> {
  const sql = postgres(servers.postgres.url, { max: 1, onnotice: () => {} })
  try {
    const ours = await sql`
      SELECT backend_type, application_name, ssl FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)
      WHERE application_name LIKE 'tributary%'`
    expect(ours.filter(({ ssl }) => ssl !== true)).toEqual([])
    expect(new Set(ours.map((row) => row.backend_type))).toEqual(new Set(['client backend', 'walsender']))
    expect(ours.map((row) => row.application_name)).toContain('tributary/warehouse')
  } finally {
    await sql.end()
  }
}
