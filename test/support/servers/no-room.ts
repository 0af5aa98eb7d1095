import { execFile } from 'node:child_process'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { stackStatus } from '../../../ops/stack/stack.ts'

const run = promisify(execFile)

/** Where a server of a stack writes what grows, below the stack's folder. */
const FILES = {
  kafka: { folder: join('kafka', 'data'), ending: '.log' },
  redis: { folder: 'redis', ending: '.aof' },
} as const

/**
 * Lets no file of a server grow beyond its largest one and a little, as a full disk would, until it is started again. Linux only.
 * @returns whether it ran
 */
export async function leaveNoRoom(dataDir: string, name: keyof typeof FILES, bytesLeft: number): Promise<boolean> {
  const { services } = await stackStatus({ dataDir, env: {} })
  const pid = services.find((service) => service.name === name)?.pid
  if (pid === undefined) return false
  const folder = join(dataDir, FILES[name].folder)
  const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith(FILES[name].ending))
  const sizes = await Promise.all(files.map(async (file) => (await stat(join(folder, file))).size))
  await run('prlimit', ['--pid', String(pid), `--fsize=${Math.max(0, ...sizes) + bytesLeft}`])
  return true
}
