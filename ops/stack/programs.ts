import { execFile } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { TributaryError } from '../../schemas/errors.ts'

const run = promisify(execFile)

const JAVA_MAJOR_MIN = 17
const JAVA_VERSION_TIMEOUT_MS = 20_000

/** The path of an executable on the PATH, or undefined. */
export function findOnPath(name: string, env: NodeJS.ProcessEnv): string | undefined {
  const folders = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/**
 * The Java to run Kafka and the registry with: that of JAVA_HOME, else the one on the PATH.
 * @throws TributaryError `environment-missing` where there is none, or only one older than 17
 */
export async function findJava(env: NodeJS.ProcessEnv): Promise<string> {
  const home = env.JAVA_HOME
  const ofHome = home === undefined || home === '' ? undefined : join(home, 'bin', 'java')
  const java = ofHome !== undefined && isExecutable(ofHome) ? ofHome : findOnPath('java', env)
  if (java === undefined) {
    throw new TributaryError(
      'environment-missing',
      `The local stack needs a Java Development Kit, version ${JAVA_MAJOR_MIN} or newer, and there is no \`java\` on the PATH: install one, for example OpenJDK 17.`,
    )
  }
  const major = javaMajor(await javaVersionText(java))
  if (major === undefined || major < JAVA_MAJOR_MIN) {
    const found = major === undefined ? 'of an unknown version' : `version ${major}`
    throw new TributaryError(
      'environment-missing',
      `The local stack needs a Java Development Kit, version ${JAVA_MAJOR_MIN} or newer, and ${java} is ${found}: install a newer one, or point JAVA_HOME to it.`,
    )
  }
  return java
}

async function javaVersionText(java: string): Promise<string> {
  try {
    const { stdout, stderr } = await run(java, ['-version'], { timeout: JAVA_VERSION_TIMEOUT_MS })
    return `${stderr}\n${stdout}`
  } catch (cause) {
    throw new TributaryError(
      'environment-missing',
      `\`${java} -version\` fails: repair or replace this Java (17 or newer is needed).`,
      {
        cause,
      },
    )
  }
}

/** The major version that `java -version` tells: 17 of "17.0.15", 8 of "1.8.0_392". */
export function javaMajor(versionText: string): number | undefined {
  const match = /version "(\d+)(?:\.(\d+))?/.exec(versionText)
  if (match === null) return undefined
  const first = Number(match[1])
  return first === 1 && match[2] !== undefined ? Number(match[2]) : first
}

/** @throws TributaryError `environment-missing` where there is no Maven */
export function findMaven(env: NodeJS.ProcessEnv): string {
  const maven = findOnPath('mvn', env)
  if (maven !== undefined) return maven
  throw new TributaryError(
    'environment-missing',
    'The first start of the local stack needs Apache Maven to fetch Kafka and the registry, and there is no `mvn` on the PATH: install Maven 3.6 or newer.',
  )
}
