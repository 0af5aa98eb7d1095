import type { Misbehaviour, Sandbox } from '../../../connectors/http/sandbox-server.ts'

/** What such a process tells once it serves: its part of the demo's environment. */
export interface Serving {
  readonly variables: Readonly<Record<string, string>>
}

/**
 * A sandbox as a child process of the demo: tells how it is reached, does wrong what it is told to, and ends with its parent, however that
 * ends.
 * @param variables what tributary.yaml asks for, by the sandbox's address
 */
export async function serveToParent(
  start: () => Promise<Sandbox>,
  variables: (url: string) => Serving['variables'],
): Promise<void> {
  // Ctrl-C reaches the whole group of processes; the parent decides when this one ends.
  process.on('SIGINT', () => {}).on('SIGHUP', () => {})
  process.on('disconnect', () => process.exit(0))
  const sandbox = await start()
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
