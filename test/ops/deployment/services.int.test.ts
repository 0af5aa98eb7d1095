import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { ROOT } from '../../docs/pages.ts'
import { closedPort } from '../../support/cli.ts'
import { COMMAND_ENV, NODE_FLAGS } from '../../support/first-line.ts'
import { createFlow, eventually, type Flow, required } from '../../support/flow.ts'
import { readCompose, type Service, secretsOf } from './compose-file.ts'

const WAIT_MS = 120_000
const CUSTOMERS = 200

test('the services of docker-compose.yml bring the demo to all three subscribers, as plain processes', {
  timeout: 2 * WAIT_MS,
}, async () => {
  const flow = await createFlow(
    (prefix) => readFileSync(`${ROOT}tributary.yaml`, 'utf8').replace(/^name: .*$/m, `name: ${prefix}`),
    'SELECT 1',
  )
  onTestFinished(() => flow.close())
  const machine = await createMachine(flow)

  expect(await machine.run('demo-erp', '--customers', String(CUSTOMERS))).toBe(0)
  const [crm, store] = await Promise.all([machine.serve('crm'), machine.serve('store')])
  expect(await machine.run('provision', '-f', flow.file)).toBe(0)
  const names = ['capture-erp', 'deliver-warehouse', 'deliver-crm', 'deliver-store', 'exporter']
  const urls = await Promise.all(names.map((name) => machine.serve(name, '-f', flow.file, '--port', '0', '--json')))
  // The image's own check of its health, but for the port.
  for (const url of urls) execFileSync(process.execPath, ['-e', imageCheck().replace('http://127.0.0.1:9464', url)])

  const count = async (url: string) => ((await (await fetch(url)).json()) as unknown[]).length
  await eventually(
    async () => (await flow.warehouse`SELECT count(*)::int AS rows FROM customer`)[0]?.rows === CUSTOMERS,
    'the warehouse has the customers',
    WAIT_MS,
  )
  await eventually(async () => (await count(`${crm}/__sandbox/objects/accounts`)) === CUSTOMERS, 'the CRM too', WAIT_MS)
  await eventually(
    async () => (await count(`${store}/__sandbox/objects/customer`)) === CUSTOMERS,
    'the store too',
    WAIT_MS,
  )

  const [before] = await flow.warehouse`SELECT max(updated_at) AS at FROM "order"`
  machine.start('demo-changes')
  await eventually(
    async () => (await flow.warehouse`SELECT max(updated_at) > ${before!.at} AS newer FROM "order"`)[0]?.newer,
    'what is changed arrives',
    WAIT_MS,
  )
  expect(await machine.stop()).toEqual(['crm', 'store', ...names, 'demo-changes'].map((name) => [name, 0]))
})

/** This machine in the place of the containers: their commands, environments and secrets, with addresses of this machine. */
async function createMachine(flow: Flow) {
  const secrets = mkdtempSync(join(tmpdir(), 'tributary-secrets-'))
  onTestFinished(() => rmSync(secrets, { recursive: true }))
  execFileSync('sh', [`${ROOT}ops/compose/secrets.sh`, secrets])
  for (const [name, url] of [
    ['erp_url', flow.sourceUrl],
    ['warehouse_url', flow.warehouseUrl],
  ] as const) {
    rmSync(join(secrets, name))
    writeFileSync(join(secrets, name), `${url}\n`)
  }
  const ports = { crm: await closedPort(), store: await closedPort() }
  const crm = `http://127.0.0.1:${ports.crm}`
  const { services } = readCompose({
    PIPELINE_KAFKA_BROKERS: required('TRIBUTARY_KAFKA_BROKERS'),
    PIPELINE_REGISTRY_URL: required('TRIBUTARY_REGISTRY_URL'),
    PIPELINE_REDIS_URL: required('TRIBUTARY_REDIS_URL'),
    PIPELINE_CRM_URL: crm,
    PIPELINE_CRM_TOKEN_URL: `${crm}/demo/oauth2/v2.0/token`,
    PIPELINE_STORE_URL: `http://127.0.0.1:${ports.store}`,
    PIPELINE_SUBNET: '127.0.0.0/8',
  })
  const running = new Map<string, { child: ChildProcess; exited: Promise<number | null> }>()
  onTestFinished(async () => {
    for (const { child } of running.values()) if (child.exitCode === null) child.kill('SIGKILL')
    await Promise.all([...running.values()].map(({ exited }) => exited))
  })

  const start = (name: string, ...more: string[]) => {
    const service = services[name]!
    const port = name in ports ? String(ports[name as keyof typeof ports]) : ''
    const here = (word: string) =>
      word.replace('0.0.0.0', '127.0.0.1').replace('8080', port).replace(`http://${name}:`, 'http://127.0.0.1:')
    const [, ...program] = service.entrypoint ?? ['node', ...NODE_FLAGS, 'ops/cli/tributary.ts']
    const child = spawn(process.execPath, [...program, ...(service.command ?? []).map(here), ...more], {
      cwd: ROOT,
      env: { ...COMMAND_ENV, ...environmentOf(service, secrets) },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const exited = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)))
    running.set(name, { child, exited })
    return { child, exited }
  }
  return {
    start,
    /** Runs it to its end. */
    async run(name: string, ...more: string[]): Promise<number | null> {
      const { child, exited } = start(name, ...more)
      child.stdout!.resume()
      const code = await exited
      running.delete(name)
      return code
    },
    /** @returns its address, which it tells once it works */
    async serve(name: string, ...more: string[]): Promise<string> {
      const { child } = start(name, ...more)
      const lines = createInterface({ input: child.stdout! })
      const [line] = (await once(lines, 'line', { signal: AbortSignal.timeout(WAIT_MS) })) as [string]
      return (JSON.parse(line) as { url: string }).url
    },
    /** Asks them to stop as Compose does. @returns their names and exit codes */
    async stop(): Promise<[string, number | null][]> {
      for (const { child } of running.values()) child.kill('SIGTERM')
      return await Promise.all(
        [...running].map(async ([name, { exited }]): Promise<[string, number | null]> => [name, await exited]),
      )
    },
  }
}

function environmentOf(service: Service, folder: string): Record<string, string> {
  const files = new Map(secretsOf(service).map(({ source, path }) => [path, join(folder, source)]))
  return Object.fromEntries(
    Object.entries(service.environment).map(([name, value]) => [name, files.get(String(value)) ?? String(value)]),
  )
}

/** What the image's HEALTHCHECK has Node evaluate. */
function imageCheck(): string {
  const [, check] = /\n {2}CMD (\[.*\])/.exec(readFileSync(`${ROOT}Dockerfile`, 'utf8'))!
  return (JSON.parse(check!) as [string, string, string])[2]
}
