import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createDataFolder, type DataFolder, dataFolder } from '../../../ops/stack/data-folder.ts'
import { lockOwner, releaseLock, takeLock } from '../../../ops/stack/supervision/lock.ts'
import {
  identify,
  isAlive,
  type ProcessIdentity,
  signalProcess,
} from '../../../ops/stack/supervision/process-identity.ts'

const SELF = identify(process.pid)!
/** What a pid file says when its process has ended and the pid belongs to another one now: this one. */
const RECYCLED: ProcessIdentity = { ...SELF, startMark: 'an earlier process' }

async function emptyFolder(): Promise<DataFolder> {
  const root = await mkdtemp(join(tmpdir(), 'tributary-lock-'))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  const folder = dataFolder(root)
  await createDataFolder(folder)
  return folder
}

test('a data folder has one owner, and a second is told who', async () => {
  const folder = await emptyFolder()
  await takeLock(folder, SELF)
  await expect(takeLock(folder, SELF)).rejects.toMatchObject({
    code: 'stack-locked',
    message: expect.stringContaining(`process ${process.pid}`),
  })
  await releaseLock(folder)
  await takeLock(folder, SELF)
})

test('the lock of a process that is gone is taken over', async () => {
  const folder = await emptyFolder()
  await writeFile(folder.lockFile, JSON.stringify(RECYCLED))
  expect(await lockOwner(folder)).toBeUndefined()
  await takeLock(folder, SELF)
  expect(await lockOwner(folder)).toEqual(SELF)
})

test('a lock that a crash left half written is taken over', async () => {
  const folder = await emptyFolder()
  await writeFile(folder.lockFile, '{"pid":')
  await takeLock(folder, SELF)
  expect(await lockOwner(folder)).toEqual(SELF)
})

test('of many that find a stale lock at once, one gets it', async () => {
  const folder = await emptyFolder()
  await writeFile(folder.lockFile, JSON.stringify(RECYCLED))
  const script = new URL('../../support/servers/lock-contender.ts', import.meta.url).pathname
  const contenders = Array.from({ length: 6 }, async () => {
    const child = spawn(process.execPath, [script, folder.root], { stdio: ['pipe', 'pipe', 'inherit'] })
    const [answer] = (await once(child.stdout!.setEncoding('utf8'), 'data')) as [string]
    return { child, answer: answer.trim() }
  })
  const settled = await Promise.all(contenders)
  for (const { child } of settled) child.stdin!.end()
  expect(settled.map(({ answer }) => answer).sort()).toEqual([
    'locked',
    'locked',
    'locked',
    'locked',
    'locked',
    'taken',
  ])
})

test('a recycled pid is neither alive nor ever signalled', () => {
  expect(isAlive(RECYCLED)).toBe(false)
  expect(signalProcess(RECYCLED, 'SIGKILL')).toBe(false)
})

test('a process that has ended is not alive, even while its parent has not noticed', async () => {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'ignore'] })
  const identity = identify(child.pid!)!
  expect(isAlive(identity)).toBe(true)
  const exited = once(child, 'exit')
  expect(signalProcess(identity, 'SIGKILL')).toBe(true)
  await exited
  expect(isAlive(identity)).toBe(false)
})
