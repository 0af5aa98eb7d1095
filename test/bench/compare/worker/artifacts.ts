import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { serversDir } from '../../../../ops/stack/data-folder.ts'
import { advance, DOWNLOAD_START, describe } from '../../../../ops/stack/maven-progress.ts'
import { findJava, findMaven } from '../../../../ops/stack/programs.ts'
import { logTail, runTool } from '../../../../ops/stack/tool.ts'

export type PluginName = 'source' | 'sink' | 'avro'

/** Where the jars of Kafka Connect and of Debezium's plug-ins are. */
export interface Artifacts {
  readonly connectJars: string
  /** Folders of plug-ins. */
  readonly plugins: Readonly<Record<PluginName, string>>
  /** What was fetched, as the pom names it. */
  readonly versions: Readonly<Record<string, string>>
}

const POM_FILE = fileURLToPath(new URL('../pom.xml', import.meta.url))
export const AVRO_CONVERTER = 'io.apicurio.registry.utils.converter.AvroConverter'
/** Another one when what is made of the jars changes. */
const LAYOUT = 2
const HASH_CHARS = 12
const LINE_CHARS_MAX = 4_000

/**
 * Fetches with Maven what the pom names; as long as the pom is the same, what was fetched is there. TRIBUTARY_MAVEN_REPO names another local
 * repository than Maven's own, as for the local stack.
 * @throws Error when Maven fails, with the end of its log
 */
export async function fetchArtifacts(env: NodeJS.ProcessEnv, onProgress: (text: string) => void): Promise<Artifacts> {
  const pom = await readFile(POM_FILE, 'utf8')
  const hash = createHash('sha256').update(pom).digest('hex').slice(0, HASH_CHARS)
  const folder = join(serversDir(env), `compare-${LAYOUT}-${hash}`)
  const found = await stat(folder).catch(() => null)
  if (found === null) await fetchInto(folder, env, onProgress)
  const version = (name: string) => new RegExp(`<${name}.version>(.+)</${name}.version>`).exec(pom)?.[1] ?? 'unknown'
  const versions = { 'Kafka Connect': version('kafka'), Debezium: version('debezium') }
  const plugins = { source: join(folder, 'source'), sink: join(folder, 'sink'), avro: join(folder, 'avro') }
  return { connectJars: join(folder, 'connect'), plugins, versions }
}

async function fetchInto(folder: string, env: NodeJS.ProcessEnv, onProgress: (text: string) => void): Promise<void> {
  const partial = `${folder}-partial-${process.pid}`
  await mkdir(partial, { recursive: true })
  try {
    const logFile = join(partial, 'maven.log')
    const repository = env.TRIBUTARY_MAVEN_REPO
    const args = ['-f', POM_FILE, '-Dstyle.color=never', `-Dcompare.dir=${partial}`, 'process-resources']
    if (repository !== undefined && repository !== '') args.unshift(`-Dmaven.repo.local=${repository}`)
    let progress = DOWNLOAD_START
    let rest = ''
    const onOutput = (piece: string) => {
      const lines = `${rest}${piece}`.split(/[\r\n]+/)
      rest = (lines.pop() ?? '').slice(-LINE_CHARS_MAX)
      for (const line of lines) progress = advance(progress, line)
      onProgress(describe(progress))
    }
    const { signal } = new AbortController()
    const code = await runTool({ file: findMaven(env), args, env }, { logFile, signal, onOutput })
    if (code !== 0)
      throw new Error(`Maven could not fetch Debezium (exit code ${code})\n${rest}\n${await logTail(logFile)}`)
    await declareConverter(partial, env)
    await rename(partial, folder)
  } finally {
    await rm(partial, { recursive: true, force: true })
  }
}

/** The Avro converter's jar does not declare what it has, as a worker wants it that looks into declarations alone; this jar does. */
async function declareConverter(folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  const services = join(folder, 'declaration', 'META-INF', 'services')
  await mkdir(services, { recursive: true })
  await writeFile(join(services, 'org.apache.kafka.connect.storage.Converter'), `${AVRO_CONVERTER}\n`)
  const jar = join(dirname(await findJava(env)), 'jar')
  const args = [
    '--create',
    '--file',
    join(folder, 'avro', 'converter', 'declaration.jar'),
    '-C',
    join(folder, 'declaration'),
    '.',
  ]
  const logFile = join(folder, 'maven.log')
  const code = await runTool({ file: jar, args, env }, { logFile, signal: new AbortController().signal })
  if (code !== 0) throw new Error(`${jar} fails (exit code ${code})\n${await logTail(logFile)}`)
}
