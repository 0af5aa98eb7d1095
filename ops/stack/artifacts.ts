import { createHash } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TributaryError } from '../../schemas/errors.ts'
import { POM_FILE } from './data-folder.ts'
import { advance, DOWNLOAD_START, describe } from './maven-progress.ts'
import { findMaven } from './programs.ts'
import { identify } from './supervision/process-identity.ts'
import { logTail, runTool } from './tool.ts'

/** The unpacked servers of one version of the pom. */
export interface Artifacts {
  /** The broker and everything it needs, as jars. */
  readonly kafkaJars: string
  readonly registryDir: string
  readonly redisDir: string
}

export interface FetchOptions {
  readonly serversDir: string
  readonly env: NodeJS.ProcessEnv
  readonly logFile: string
  readonly signal: AbortSignal
  readonly onProgress: (text: string) => void
}

const MARKER = 'complete'
const HASH_CHARS = 12

/**
 * The jars that the pom names. The first time Maven fetches and unpacks them; afterwards, as long as the pom is the same, only a
 * marker is looked at. TRIBUTARY_MAVEN_REPO names another local repository than Maven's own.
 * @throws TributaryError `environment-missing` without Maven, `download-failed` when Maven fails
 */
export async function fetchArtifacts(options: FetchOptions): Promise<Artifacts> {
  const hash = createHash('sha256')
    .update(await readFile(POM_FILE))
    .digest('hex')
    .slice(0, HASH_CHARS)
  const folder = join(options.serversDir, hash)
  if (!(await isComplete(folder))) await fetchInto(folder, options)
  return { kafkaJars: join(folder, 'kafka'), registryDir: join(folder, 'registry'), redisDir: join(folder, 'redis') }
}

async function isComplete(folder: string): Promise<boolean> {
  return await stat(join(folder, MARKER)).then(
    () => true,
    () => false,
  )
}

async function fetchInto(folder: string, options: FetchOptions): Promise<void> {
  const maven = findMaven(options.env)
  await removeAbandoned(options.serversDir)
  const partial = join(options.serversDir, `partial-${process.pid}`)
  await mkdir(partial, { recursive: true })
  try {
    await runMaven(maven, partial, options)
    for (const name of await readdir(join(partial, 'redis'))) await chmod(join(partial, 'redis', name), 0o755)
    await writeFile(join(partial, MARKER), `${new Date().toISOString()}\n`)
    await moveInto(partial, folder)
  } finally {
    await rm(partial, { recursive: true, force: true })
  }
}

/** In one step, so that nobody starts from half the jars. Another stack may have been quicker: then its result is as good. */
async function moveInto(partial: string, folder: string): Promise<void> {
  try {
    await rename(partial, folder)
  } catch (cause) {
    if (!(await isComplete(folder))) throw cause
  }
}

/** What killed fetches left behind. */
async function removeAbandoned(serversDir: string): Promise<void> {
  const names = await readdir(serversDir).catch(() => [])
  for (const name of names) {
    const pid = /^partial-(\d+)$/.exec(name)?.[1]
    if (pid !== undefined && identify(Number(pid)) === undefined) {
      await rm(join(serversDir, name), { recursive: true, force: true })
    }
  }
}

async function runMaven(maven: string, into: string, options: FetchOptions): Promise<void> {
  // Not in batch mode: that leaves out the progress within a file, and the registry is one file of 100 MB.
  const repository = options.env.TRIBUTARY_MAVEN_REPO
  const args = ['-f', POM_FILE, '-Dstyle.color=never', `-Dstack.dir=${into}`, 'process-resources']
  if (repository !== undefined && repository !== '') args.unshift(`-Dmaven.repo.local=${repository}`)
  let progress = DOWNLOAD_START
  let rest = ''
  const output: string[] = []
  options.onProgress(describe(progress))
  const onOutput = (piece: string): void => {
    const lines = `${rest}${piece}`.split(/[\r\n]+/)
    rest = (lines.pop() ?? '').slice(-LINE_CHARS_MAX)
    for (const line of lines) {
      progress = advance(progress, line)
      if (!line.startsWith('Progress (')) output.push(line)
    }
    output.splice(0, output.length - OUTPUT_LINES_MAX)
    options.onProgress(describe(progress))
  }
  const code = await runTool(
    { file: maven, args, env: options.env },
    { logFile: options.logFile, signal: options.signal, onOutput },
  )
  await writeFile(options.logFile, `${output.join('\n')}\n${rest}\n`, { flag: 'a' })
  if (code === 0) return
  throw new TributaryError(
    'download-failed',
    `Maven could not fetch the servers of the local stack (exit code ${code}). Check the network and try again: what has arrived is kept. ` +
      `Log: ${options.logFile}\n${await logTail(options.logFile)}`,
  )
}

const OUTPUT_LINES_MAX = 500
const LINE_CHARS_MAX = 4_000
