import { existsSync, readFileSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TributaryError } from '../../schemas/errors.ts'
import { loadDeclaration } from '../declaration/declaration.ts'
import { createEnvironment } from '../process/environment.ts'
import { createLog } from '../process/log.ts'
import { runProcess } from '../process/run.ts'
import { planProvision } from '../provision/provision.ts'
import { addressEnvironment } from '../stack/addresses.ts'
import { dataFolder, defaultDataDir } from '../stack/data-folder.ts'
import { findOnPath } from '../stack/programs.ts'
import { SERVICE_TITLES } from '../stack/services.ts'
import { type RunningStack, startStack } from '../stack/stack.ts'
import { lockOwner } from '../stack/supervision/lock.ts'
import { createDatabases, type DemoDatabases } from './databases.ts'
import { ENVIRONMENT_FILE, formatEnvironment } from './environment-file.ts'
import { createErp } from './erp.ts'
import { type LiveView, startLiveView } from './terminal.ts'
import { createViewModel, type ViewAccumulator, viewEntity } from './view-model.ts'
import { watch } from './watch.ts'
import { runWorkload } from './workload.ts'

const DECLARATION = new URL('../../tributary.yaml', import.meta.url).pathname
/** The subscriber that the view shows. */
const SUBSCRIBER = 'warehouse'
const CHANGES_PER_SECOND = 20
const WORKLOAD_SEED = 7
/** The customer whose changes always show: the one in the line to try. */
const TRY_CUSTOMER = '42'
const LOG_TAIL_LINES = 15

/**
 * `npm start`: the local stack, an ERP with data, the whole pipeline in this process, a small workload, and a live view of it all, until
 * Ctrl-C. Nothing is left behind but the downloaded servers.
 */
async function main(): Promise<void> {
  const stop = new AbortController()
  const ask = () => stop.abort()
  process.on('SIGINT', ask).on('SIGTERM', ask).on('SIGHUP', ask)
  const dataDir = join(defaultDataDir(process.env), 'demo')
  const demo = new Demo(dataDir)
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
  readonly logFile: string
  readonly #model: ViewAccumulator
  #view: LiveView | null = null
  #stack: RunningStack | null = null
  #ours = false

  constructor(dataDir: string) {
    this.#dataDir = dataDir
    this.logFile = join(dataDir, 'tributary.log')
    // Only for what is shown: the addresses are not known yet.
    const shape = loadDeclaration(DECLARATION, { ...process.env, ...PLACEHOLDERS })
    const hints = { tryIt: '', lookAt: '' }
    this.#model = createViewModel(Date.now(), {
      entities: shape.subscribers.get(SUBSCRIBER)!.mappings.map(viewEntity),
      hints,
      watch: (entity, key) => entity === 'customer' && key === TRY_CUSTOMER,
    })
    this.#hints = hints
  }

  readonly #hints: { tryIt: string; lookAt: string }

  async run(signal: AbortSignal): Promise<void> {
    this.#view = startLiveView({ screen: process.stdout, model: () => this.#model.snapshot(Date.now()) })
    this.#stack = await this.#startStack(signal)
    const { postgresUrl } = this.#stack.addresses
    this.#service('Demo ERP', 'starting', 'making 20,000 customers and their orders')
    const urls = await createDatabases(postgresUrl)
    await createErp(urls.erp, {
      onProgress: ({ table, rows }) => this.#service('Demo ERP', 'starting', `${table}: ${rows} rows`),
    })
    this.#service('Demo ERP', 'ready', 'PostgreSQL database')
    if (signal.aborted) return
    const addresses = environmentOf(this.#stack, urls)
    await writeFile(join(this.#dataDir, ENVIRONMENT_FILE), formatEnvironment(addresses), { mode: 0o600 })
    this.#setHints(urls)
    const declaration = loadDeclaration(DECLARATION, { ...process.env, ...addresses })
    const environment = createEnvironment(declaration, createLog('info', this.logFile))
    this.#service('Provision', 'starting', 'schemas, topics, publication, tables')
    const plan = await planProvision(environment)
    await plan.apply(({ name }) => this.#service('Provision', 'starting', name))
    this.#service('Provision', 'ready', `${plan.steps.length} parts`)
    this.#model.setStage('snapshot')
    const snapshots = Promise.withResolvers<void>()
    const watcher = watch(this.#model, environment.declaration, SUBSCRIBER, () => {
      this.#model.setStage('streaming')
      snapshots.resolve()
    })
    const options = { sources: [...environment.declaration.sources.keys()], subscribers: [SUBSCRIBER] }
    const both = new AbortController()
    const either = AbortSignal.any([signal, both.signal])
    const pipeline = runProcess(environment, { ...options, host: '127.0.0.1', port: 0, watcher }, either)
    const workload = Promise.race([snapshots.promise, aborted(either)]).then(() =>
      runWorkload(urls.erp, { changesPerSecond: CHANGES_PER_SECOND, seed: WORKLOAD_SEED, signal: either }),
    )
    const parts = [pipeline, workload].map((part) => part.finally(() => both.abort()))
    const results = await Promise.allSettled(parts)
    this.#model.setStage('stopping')
    this.#view.draw()
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  /** Gives the terminal back. */
  leave(): void {
    this.#view?.stop()
    this.#view = null
  }

  async cleanUp(): Promise<void> {
    await this.#stack?.stop()
    if (this.#ours) await rm(this.#dataDir, { recursive: true, force: true })
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
    return stack
  }

  #service(name: string, state: 'waiting' | 'starting' | 'ready' | 'failed', detail: string): void {
    this.#model.setService(name, state, detail, Date.now())
  }

  #setHints(urls: DemoDatabases): void {
    const change = `UPDATE customers SET credit_limit = credit_limit + 500 WHERE customer_id = ${TRY_CUSTOMER}`
    const look = `SELECT credit_limit FROM customer WHERE customer_id = ${TRY_CUSTOMER}`
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
