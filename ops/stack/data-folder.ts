import { chmod, mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { ServiceName } from './services.ts'

const REPOSITORY = resolve(import.meta.dirname, '../..')

/** The pom that names the jars of the stack. */
export const POM_FILE = join(REPOSITORY, 'pom.xml')

/** Where a stack keeps everything unless told otherwise: TRIBUTARY_DATA_DIR, or `.tributary` in the repository. */
export function defaultDataDir(env: NodeJS.ProcessEnv): string {
  const chosen = env.TRIBUTARY_DATA_DIR
  return chosen === undefined || chosen === '' ? join(REPOSITORY, '.tributary') : resolve(chosen)
}

/** The jars are the same for every stack of a machine's user, so test stacks share them with the default data folder. */
export function serversDir(env: NodeJS.ProcessEnv): string {
  return join(defaultDataDir(env), 'servers')
}

/** The files of one stack. */
export interface DataFolder {
  readonly root: string
  readonly logs: string
  readonly lockFile: string
  /** Which processes run, on which ports: what `status` and `stop` read. */
  readonly recordFile: string
  /** Ports are kept over restarts: clients remember the broker's advertised listener. */
  readonly portsFile: string
  readonly passwordFile: string
}

export function dataFolder(root: string): DataFolder {
  return {
    root,
    logs: join(root, 'logs'),
    lockFile: join(root, 'run', 'lock'),
    recordFile: join(root, 'run', 'stack.json'),
    portsFile: join(root, 'run', 'ports.json'),
    passwordFile: join(root, 'run', 'postgres-password'),
  }
}

export function logFile(folder: DataFolder, service: ServiceName | 'supervisor' | 'maven'): string {
  return join(folder.logs, `${service}.log`)
}

export function serverDataDir(folder: DataFolder, service: ServiceName): string {
  return join(folder.root, service)
}

/** Creates the folder and those inside it that every stack has. `run` holds the password, so it is the owner's alone. */
export async function createDataFolder(folder: DataFolder): Promise<void> {
  await mkdir(folder.logs, { recursive: true })
  const run = join(folder.root, 'run')
  await mkdir(run, { recursive: true, mode: 0o700 })
  await chmod(run, 0o700)
}
