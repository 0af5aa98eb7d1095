import { parseArgs } from 'node:util'
import type { Misbehaviour, Sandbox, SandboxOptions } from '../../../connectors/http/sandbox-server.ts'

/** What such a process tells once it serves: its part of the demo's environment. */
export interface Serving {
  readonly variables: Readonly<Record<string, string>>
}

/**
 * A sandbox as a process of its own: a child of the demo, or alone with `--host`, `--port` and `--url` (docker-compose.yml).
 * @param variables what tributary.yaml asks for, by the sandbox's address
 */
export async function serve(
  start: (options: SandboxOptions) => Promise<Sandbox>,
  variables: (url: string) => Serving['variables'],
): Promise<void> {
  if (process.send === undefined) await serveAlone(start, process.argv.slice(2))
  else await serveToParent(start, variables)
}

/** Tells how it is reached, does wrong what it is told to, and ends with its parent, however that ends. */
async function serveToParent(
  start: (options: SandboxOptions) => Promise<Sandbox>,
  variables: (url: string) => Serving['variables'],
): Promise<void> {
  // Ctrl-C reaches the whole group of processes; the parent decides when this one ends.
  process.on('SIGINT', () => {}).on('SIGHUP', () => {})
  process.on('disconnect', () => process.exit(0))
  const sandbox = await start({})
  process.on('message', (how: Misbehaviour) => {
    sandbox.misbehave(how).then(
      () => process.send?.({ done: true }),
      (error: unknown) => {
        console.error(error)
        process.exit(1)
      },
    )
  })
  process.send?.({ variables: variables(sandbox.url) } satisfies Serving)
}

/** Until SIGTERM or SIGINT. */
async function serveAlone(
  start: (options: SandboxOptions) => Promise<Sandbox>,
  args: readonly string[],
): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { host: { type: 'string' }, port: { type: 'string' }, url: { type: 'string' } },
  })
  const { host, port, url } = values
  const sandbox = await start({
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port: Number(port) }),
    ...(url === undefined ? {} : { url }),
  })
  const end = () => void sandbox.close()
  process.once('SIGTERM', end).once('SIGINT', end)
  console.log(JSON.stringify({ url: sandbox.url }))
}
