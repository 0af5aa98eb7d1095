import { existsSync, readFileSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { TributaryError } from '../../schemas/errors.ts'
import { loadDeclaration } from '../declaration/declaration.ts'
import { createEnvironment } from '../process/environment.ts'
import { METRICS_PORT } from '../process/health-server.ts'
import { createLog } from '../process/log.ts'
import { runProcess } from '../process/run.ts'
import { planProvision } from '../provision/provision.ts'
import { addressEnvironment } from '../stack/addresses.ts'
import { dataFolder, defaultDataDir } from '../stack/data-folder.ts'
import { isFree } from '../stack/ports.ts'
import { findOnPath } from '../stack/programs.ts'
import { SERVICE_TITLES } from '../stack/services.ts'
import { type RunningStack, startStack } from '../stack/stack.ts'
import { lockOwner } from '../stack/supervision/lock.ts'
import { claimLedgers } from './claim-ledger.ts'
import { createDatabases, type DemoDatabases } from './databases.ts'
import { ENVIRONMENT_FILE, formatEnvironment } from './environment-file.ts'
import { createErp } from './erp.ts'
import { listenForKeys } from './keys.ts'
import { type DemoOptions, HELP, parseDemoOptions } from './options.ts'
import { OutageSwitch } from './outage.ts'
import { type OutsideSystem, SYSTEMS, type SystemName, startSystem } from './systems.ts'
import { type LiveView, startLiveView } from './terminal.ts'
import { createViewModel, type ViewAccumulator, viewEntity } from './view-model.ts'
import { watch } from './watch.ts'
import { runWorkload } from './workload.ts'

const DECLARATION = new URL('../../tributary.yaml', import.meta.url).pathname
/** The subscriber that fails and heals. */
const FAILS = 'store'
const FAIL_KEY = 'f'
const CHANGES_PER_SECOND = 20
const WORKLOAD_SEED = 7
/** The customer whose changes always show: the one in the line to try. */
const TRY_CUSTOMER = '42'
const LOG_TAIL_LINES = 15
const LOOK_MS = 250

/**
 * `npm start`: the local stack, an ERP with data, the whole pipeline in this process, a small workload, and a live view of it all, until
 * Ctrl-C. Nothing is left behind but the downloaded servers.
 */
async function main(): Promise<void> {
  const options = parseDemoOptions(process.argv.slice(2))
  if (options.help) return void process.stdout.write(HELP)
  const stop = new AbortController()
  const ask = () => stop.abort()
  process.on('SIGINT', ask).on('SIGTERM', ask).on('SIGHUP', ask)
  const dataDir = join(defaultDataDir(process.env), 'demo')
  const demo = new Demo(dataDir, options, ask)
  try {
    await demo.run(stop.signal)
  } catch (error) {
    demo.leave()
    if (!stop.signal.aborted) process.exitCode = explain(error, demo.logFile)
  } finally {
    demo.leave()
    await demo.cleanUp()
  }
}

class Demo {
  readonly #dataDir: string
  readonly #options: DemoOptions
  readonly #stop: () => void
  readonly logFile: string
  readonly #model: ViewAccumulator
  readonly #hints = { tryIt: '', lookAt: '', metrics: '' }
  readonly #systems = new Map<SystemName, OutsideSystem>()
  #view: LiveView | null = null
  #leaveKeys: (() => void) | null = null
  #stack: RunningStack | null = null
  #ours = false

  constructor(dataDir: string, options: DemoOptions, stop: () => void) {
    this.#dataDir = dataDir
    this.#options = options
    this.#stop = stop
    this.logFile = join(dataDir, 'tributary.log')
    // Only for what is shown: the addresses are not known yet.
    const shape = loadDeclaration(DECLARATION, { ...process.env, ...PLACEHOLDERS })
    this.#model = createViewModel(Date.now(), {
      entities: [...shape.entities.keys()],
      subscribers: [...shape.subscribers.values()].map(({ name, type, mappings }) => ({
        name,
        type,
        entities: mappings.map(viewEntity),
      })),
      hints: this.#hints,
      watch: (entity, key) => entity === 'customer' && key === TRY_CUSTOMER,
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    const { json } = this.#options
    this.#view = startLiveView({ screen: process.stdout, model: () => this.#model.snapshot(Date.now()), json })
    const [stack, systems] = await bothOf(this.#startStack(signal), this.#startSystems())
    const urls = await createDatabases(stack.addresses.postgresUrl)
    const addresses = { ...environmentOf(stack, urls), ...systems }
    const declaration = loadDeclaration(DECLARATION, { ...process.env, ...addresses })
    const environment = createEnvironment(declaration, createLog('info', this.logFile))
    const [, certainAtMs] = await bothOf(this.#createErp(urls.erp), claimLedgers(environment))
    if (signal.aborted) return
    await writeFile(join(this.#dataDir, ENVIRONMENT_FILE), formatEnvironment(addresses), { mode: 0o600 })
    this.#setHints(urls)
    this.#service('Provision', 'starting', 'schemas, topics, publication, tables')
    const plan = await planProvision(environment)
    await plan.apply(({ name }) => this.#service('Provision', 'starting', name))
    await wait(Math.max(0, certainAtMs - Date.now()), undefined, { signal })
    this.#service('Provision', 'ready', `${plan.steps.length} parts`)
    this.#model.setStage('snapshot')
    const snapshots = Promise.withResolvers<void>()
    const watcher = watch(this.#model, environment.declaration, () => {
      this.#model.setStage('streaming')
      snapshots.resolve()
    })
    const parties = { sources: [...declaration.sources.keys()], subscribers: [...declaration.subscribers.keys()] }
    const both = new AbortController()
    const either = AbortSignal.any([signal, both.signal])
    // Where `npm run observe` looks for it; any other one when that is taken.
    const port = (await isFree(METRICS_PORT)) ? METRICS_PORT : 0
    const onListening = (url: string) => {
      this.#hints.metrics = `${url}/metrics`
    }
    const serving = { host: '127.0.0.1', port, exporter: true, onListening }
    const pipeline = runProcess(environment, { ...parties, ...serving, watcher }, either)
    const workload = Promise.race([snapshots.promise, aborted(either)]).then(() =>
      runWorkload(urls.erp, { changesPerSecond: CHANGES_PER_SECOND, seed: WORKLOAD_SEED, signal: either }),
    )
    const outages = this.#offerOutages(snapshots.promise, either)
    const parts = [pipeline, workload, outages].map((part) => part.finally(() => both.abort()))
    const results = await Promise.allSettled(parts)
    this.#model.setStage('stopping')
    this.#view.draw()
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  /** Gives the terminal back. */
  leave(): void {
    this.#leaveKeys?.()
    this.#view?.stop()
    this.#view = null
  }

  async cleanUp(): Promise<void> {
    await Promise.all([...this.#systems.values()].map((system) => system.stop()))
    await this.#stack?.stop()
    if (this.#ours) await rm(this.#dataDir, { recursive: true, force: true })
  }

  async #createErp(url: string): Promise<void> {
    const { customers } = this.#options
    this.#service('Demo ERP', 'starting', `making ${customers} customers and their orders`)
    await createErp(url, {
      customers,
      products: Math.ceil(customers / 10),
      orders: Math.ceil(customers / 2),
      onProgress: ({ table, rows }) => this.#service('Demo ERP', 'starting', `${table}: ${rows} rows`),
    })
    this.#service('Demo ERP', 'ready', 'PostgreSQL database')
  }

  /** @returns the variables that tributary.yaml asks for */
  async #startSystems(): Promise<Record<string, string>> {
    const starting = Object.entries(SYSTEMS).map(async ([name, title]) => {
      this.#service(title, 'starting', '')
      const system = await startSystem(name as SystemName)
      this.#systems.set(name as SystemName, system)
      this.#service(title, 'ready', 'a stand-in on this machine')
      return system.variables
    })
    return Object.assign({}, ...(await Promise.all(starting)))
  }

  /** The store fails and heals when a key is pressed, and as the options say. */
  async #offerOutages(copied: Promise<void>, signal: AbortSignal): Promise<void> {
    const { failAfterMs, failForMs, json } = this.#options
    const outage = new OutageSwitch(this.#systems.get(FAILS)!, (failing) => tell(failing))
    const failed = Promise.withResolvers<void>()
    const onKey = (key: string) => {
      if (key.toLowerCase() === FAIL_KEY) outage.toggle().catch(failed.reject)
    }
    if (process.stdout.isTTY && !json)
      this.#leaveKeys = listenForKeys(process.stdin, { onKey, onInterrupt: this.#stop })
    const key = this.#leaveKeys === null ? null : FAIL_KEY
    const tell = (failing: boolean) => {
      this.#model.setOutage({ subscriber: FAILS, failing, key })
      this.#view?.draw()
    }
    tell(false)
    const planned = async () => {
      if (failAfterMs === null) return
      await Promise.race([copied.then(() => this.#caughtUp(signal)), aborted(signal)])
      await outage.schedule({ afterMs: failAfterMs, forMs: failForMs }, signal)
    }
    await Promise.race([Promise.all([planned(), aborted(signal)]), failed.promise])
  }

  /** Settled when every subscriber has all that was copied. */
  async #caughtUp(signal: AbortSignal): Promise<void> {
    const isLate = () => this.#model.snapshot(Date.now()).subscribers.some(({ state }) => state !== 'ok')
    while (!signal.aborted && isLate()) await wait(LOOK_MS, undefined, { signal }).catch(() => {})
  }

  async #startStack(signal: AbortSignal): Promise<RunningStack> {
    for (const title of Object.values(SERVICE_TITLES)) this.#service(title, 'waiting', '')
    // What a demo that was killed left behind; one that still runs keeps its folder, and startStack says so.
    if ((await lockOwner(dataFolder(this.#dataDir))) === undefined) {
      this.#ours = true
      await rm(this.#dataDir, { recursive: true, force: true })
    }
    let downloaded = false
    const stack = await startStack({
      dataDir: this.#dataDir,
      signal,
      onProgress: ({ service, state, text }) => {
        if (signal.aborted) return
        if (service !== 'download') return this.#service(SERVICE_TITLES[service], STATES[state], text)
        downloaded = true
        this.#service('Download', 'starting', text)
      },
    })
    if (downloaded) this.#service('Download', 'ready', '')
    await mkdir(this.#dataDir, { recursive: true })
    this.#stack = stack
    return stack
  }

  #service(name: string, state: 'waiting' | 'starting' | 'ready' | 'failed', detail: string): void {
    this.#model.setService(name, state, detail, Date.now())
  }

  #setHints(urls: DemoDatabases): void {
    const change = `UPDATE customers SET credit_limit = credit_limit + 500, segment = 'public' WHERE customer_id = ${TRY_CUSTOMER}`
    const look = `SELECT credit_limit, segment FROM customer WHERE customer_id = ${TRY_CUSTOMER}`
    const psql = findOnPath('psql', process.env) !== undefined
    this.#hints.tryIt = psql ? `psql '${urls.erp}' -c "${change}"` : `npm run sql -- erp "${change}"`
    this.#hints.lookAt = psql ? `psql '${urls.warehouse}' -c "${look}"` : `npm run sql -- warehouse "${look}"`
  }
}

const STATES = {
  downloading: 'starting',
  preparing: 'starting',
  starting: 'starting',
  ready: 'ready',
  stopped: 'failed',
} as const

const PLACEHOLDERS = {
  TRIBUTARY_KAFKA_BROKERS: '127.0.0.1:1',
  TRIBUTARY_REGISTRY_URL: 'http://127.0.0.1:1',
  TRIBUTARY_REDIS_URL: 'redis://127.0.0.1:1',
  ERP_URL: 'postgres://127.0.0.1:1/erp',
  WAREHOUSE_URL: 'postgres://127.0.0.1:1/warehouse',
  CRM_URL: 'http://127.0.0.1:1',
  CRM_TOKEN_URL: 'http://127.0.0.1:1',
  CRM_CLIENT_ID: 'nobody',
  CRM_CLIENT_SECRET: 'nothing',
  STORE_URL: 'http://127.0.0.1:1',
  STORE_TOKEN: 'nothing',
  TRIBUTARY_FINGERPRINT_KEY: 'only to read the shape of the declaration',
}

function environmentOf(stack: RunningStack, urls: DemoDatabases): Record<string, string> {
  return {
    ...addressEnvironment(stack.addresses),
    ERP_URL: urls.erp,
    WAREHOUSE_URL: urls.warehouse,
    // Everything of the demo is made anew at each start, so its key need not outlive it.
    TRIBUTARY_FINGERPRINT_KEY: process.env.TRIBUTARY_FINGERPRINT_KEY ?? crypto.randomUUID(),
  }
}

/** Unlike `Promise.all` it leaves neither behind: what one started is there to be stopped when the other fails. */
async function bothOf<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([first, second])
  return [await first, await second]
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** @returns the exit code */
function explain(error: unknown, logFile: string): number {
  console.error(`tributary: ${error instanceof Error ? error.message : String(error)}`)
  if (!(error instanceof TributaryError) && error instanceof Error) console.error(error.stack)
  if (existsSync(logFile)) {
    const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES)
    console.error(`The end of the log:\n${lines.join('\n')}`)
  }
  return error instanceof TributaryError ? error.exitCode : 1
}

await main()
