import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { addressEnvironment } from '../../ops/stack/addresses.ts'
import { dataFolder, defaultDataDir } from '../../ops/stack/data-folder.ts'
import { ADDRESS_VARIABLES, SERVICE_TITLES } from '../../ops/stack/services.ts'
import { startStack } from '../../ops/stack/stack.ts'
import { lockOwner } from '../../ops/stack/supervision/lock.ts'

/**
 * One stack for all tests of a run, in a data folder of its own, so that runs side by side do not meet and none finds the topics and
 * replication slots of an earlier one. Its addresses reach the tests as environment variables. Addresses that the environment gives
 * already are used instead.
 */
export default async function setup(): Promise<() => Promise<void>> {
  const parent = join(defaultDataDir(process.env), 'test')
  await mkdir(parent, { recursive: true })
  await removeAbandoned(parent)
  const dataDir = await mkdtemp(join(parent, 'run-'))
  const before = Object.fromEntries(Object.values(ADDRESS_VARIABLES).map((name) => [name, process.env[name]]))
  let stopping = false
  const stack = await startStack({
    dataDir,
    durable: false,
    onProgress: ({ service, state, text }) => {
      if (state === 'stopped' && !stopping)
        console.error(`${service === 'download' ? service : SERVICE_TITLES[service]} ${text}`)
    },
  })
  Object.assign(process.env, addressEnvironment(stack.addresses))
  return async () => {
    stopping = true
    await stack.stop()
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
    await rm(dataDir, { recursive: true, force: true })
  }
}

/** The folders of runs that were killed. A run that is only just starting has no lock yet, so new folders are left alone. */
async function removeAbandoned(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const path = join(parent, name)
    if ((await isOld(path)) && (await lockOwner(dataFolder(path))) === undefined)
      await rm(path, { recursive: true, force: true })
  }
}

const ABANDONED_AFTER_MS = 10 * 60_000

async function isOld(path: string): Promise<boolean> {
  return Date.now() - (await stat(path)).mtimeMs > ABANDONED_AFTER_MS
}
