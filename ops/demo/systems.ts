import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Misbehaviour } from '../../connectors/http/sandbox-server.ts'
import { TributaryError } from '../../schemas/errors.ts'
import type { Serving } from './systems/serve.ts'

/** An outside system of the demo: a sandbox in a process of its own. */
export interface OutsideSystem {
  /** What tributary.yaml asks for, to reach it. */
  readonly variables: Readonly<Record<string, string>>
  /** From now on every request is answered with 503, until {@link heal}. */
  fail(): Promise<void>
  heal(): Promise<void>
  stop(): Promise<void>
}

export const SYSTEMS = { crm: 'CRM', store: 'Store' } as const
export type SystemName = keyof typeof SYSTEMS

const START_TIMEOUT_MS = 60_000

/** @throws TributaryError `stack-failed` when its process does not come up */
export async function startSystem(name: SystemName): Promise<OutsideSystem> {
  const child = fork(new URL(`./systems/${name}.ts`, import.meta.url), { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  let stderr = ''
  child.stderr!.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk).slice(-2_000)
  })
  try {
    const { variables } = (await answerOf(child, START_TIMEOUT_MS)) as Serving
    const misbehave = async (how: Misbehaviour) => {
      const answered = answerOf(child, START_TIMEOUT_MS)
      child.send(how)
      await answered
    }
    return {
      variables,
      fail: () => misbehave({ status: 503 }),
      heal: () => misbehave({}),
      stop: () => stop(child),
    }
  } catch (error) {
    await stop(child)
    throw new TributaryError('stack-failed', `The demo's ${SYSTEMS[name]} did not start. ${stderr.trim()}`.trim(), {
      cause: error,
    })
  }
}

async function answerOf(child: ChildProcess, timeoutMs: number): Promise<unknown> {
  const over = new AbortController()
  const signal = AbortSignal.any([over.signal, AbortSignal.timeout(timeoutMs)])
  try {
    return await Promise.race([
      once(child, 'message', { signal }).then(([message]) => message as unknown),
      once(child, 'exit', { signal }).then(([code]) => {
        throw new Error(`it ended with exit code ${code}`)
      }),
    ])
  } finally {
    over.abort()
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  if (child.connected) child.disconnect()
  else child.kill()
  await exited
}
