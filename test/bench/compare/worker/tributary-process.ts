import { fileURLToPath } from 'node:url'
import { closedPort } from '../../../support/cli.ts'
import { COMMAND_ENV, NODE_FLAGS } from '../../../support/first-line.ts'
import { eventually, type Flow } from '../../../support/flow.ts'
import { startWatched, type WatchedProcess } from './watched-process.ts'

export interface TributaryProcess extends WatchedProcess {
  ready(): Promise<void>
}

const READY_MS_MAX = 300_000
const CLI = fileURLToPath(new URL('../../../../ops/cli/tributary.ts', import.meta.url))

/** `tributary <args>` as it is shipped. */
export async function startTributary(flow: Flow, ...args: string[]): Promise<TributaryProcess> {
  const port = await closedPort()
  const watched = startWatched(
    `tributary ${args.join(' ')}`,
    process.execPath,
    [...NODE_FLAGS, CLI, ...args, '-f', flow.file, '--port', String(port), '--log-level', 'warn'],
    { env: { ...flow.env, ...COMMAND_ENV } },
  )
  return {
    ...watched,
    async ready() {
      await eventually(
        async () => {
          watched.alive()
          return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok
        },
        () => `tributary ${args.join(' ')} is ready\n${watched.log()}`,
        READY_MS_MAX,
      )
    },
  }
}
