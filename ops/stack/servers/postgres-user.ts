import { readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { TributaryError } from '../../../schemas/errors.ts'
import { findOnPath } from '../programs.ts'
import type { Tool } from '../tool.ts'

/** Who PostgreSQL runs as when this process is root: it refuses to run as root itself. */
export interface UnprivilegedUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** In this order. `nobody` is on every system. */
const CANDIDATES = ['postgres', 'nobody']
const OTHERS_MAY_ENTER = 0o001

/** The user to switch to, or undefined when this process is not root. @throws TributaryError `environment-missing` */
export async function postgresUser(): Promise<UnprivilegedUser | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  for (const candidate of CANDIDATES) {
    const user = users.find(([name]) => name === candidate)
    if (user !== undefined) return { name: candidate, uid: Number(user[2]), gid: Number(user[3]) }
  }
  throw new TributaryError(
    'environment-missing',
    `PostgreSQL does not run as root, and there is no user ${CANDIDATES.join(' or ')} to run it as: add one, or start as another user.`,
  )
}

/**
 * The tool, run as that user. Where a folder above one of the paths is closed to others (a home of root, a temporary folder),
 * the user could not even reach its own files; then the process keeps the one right of root that it needs, to pass closed folders.
 * @throws TributaryError `environment-missing` when a folder is closed and `setpriv` is not there to do that
 */
export async function asUnprivileged(
  tool: Tool,
  user: UnprivilegedUser | undefined,
  paths: readonly string[],
): Promise<Tool> {
  if (user === undefined) return tool
  const closed = await closedFolderAbove(paths)
  if (closed === undefined) return { ...tool, uid: user.uid, gid: user.gid }
  const setpriv = findOnPath('setpriv', process.env)
  if (setpriv === undefined) {
    throw new TributaryError(
      'environment-missing',
      `PostgreSQL does not run as root, and the user ${user.name} cannot enter ${closed}: open it (chmod o+x), or choose another TRIBUTARY_DATA_DIR, or start as another user.`,
    )
  }
  const identity = [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups']
  const rights = ['--inh-caps=+dac_override', '--ambient-caps=+dac_override']
  return { ...tool, file: setpriv, args: [...identity, ...rights, tool.file, ...tool.args] }
}

async function closedFolderAbove(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    for (let folder = dirname(path); ; folder = dirname(folder)) {
      if (((await stat(folder)).mode & OTHERS_MAY_ENTER) === 0) return folder
      if (folder === dirname(folder)) break
    }
  }
  return undefined
}
