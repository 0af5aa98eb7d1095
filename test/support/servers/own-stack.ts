import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { withoutAddresses } from '../../../ops/stack/addresses.ts'
import { type RunningStack, type StackOptions, startStack, stopStack } from '../../../ops/stack/stack.ts'

/** A folder that is gone after the test, together with any stack in it. */
export async function ownDataDir(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'tributary-stack-'))
  onTestFinished(async () => {
    await stopStack({ dataDir, env: withoutAddresses(process.env) })
    await rm(dataDir, { recursive: true, force: true })
  })
  return dataDir
}

/**
 * Servers for one test alone, which it may kill and restart. Name only those it needs: a Java server takes five seconds to start.
 * The run's own stack is not touched, although its addresses are in the environment.
 */
export async function startOwnStack(options: StackOptions): Promise<RunningStack> {
  const dataDir = options.dataDir ?? (await ownDataDir())
  return await startStack({ durable: false, env: withoutAddresses(process.env), ...options, dataDir })
}
