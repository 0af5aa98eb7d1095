import { copyFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunningStack } from '../../../ops/stack/stack.ts'

/** The log that a stack's Redis writes, from which it comes back. */
export function redisLog({ dataDir }: Pick<RunningStack, 'dataDir'>): string {
  return join(dataDir, 'redis', 'appendonly.aof')
}

export interface RedisCopy {
  readonly bytes: number
  /** Redis dies, and comes back as it was when it was copied. */
  setBack(): Promise<void>
}

export async function copyRedis(stack: Pick<RunningStack, 'dataDir' | 'kill' | 'restart'>): Promise<RedisCopy> {
  const log = redisLog(stack)
  const copy = `${log}.copy`
  await copyFile(log, copy)
  return {
    bytes: (await stat(copy)).size,
    async setBack() {
      await stack.kill('redis')
      await copyFile(copy, log)
      await stack.restart('redis')
    },
  }
}
