import { startHttpSandbox } from '../../../connectors/http/sandbox.ts'
import type { Sandbox } from '../../../connectors/http/sandbox-server.ts'
import type { Subscriber } from '../delivery/subscribers.ts'

/** A search engine behind HTTP, which compares no versions and may be told to misbehave. */
export async function openSearch(): Promise<{ readonly search: Subscriber; readonly sandbox: Sandbox }> {
  const sandbox = await startHttpSandbox()
  const search: Subscriber = {
    name: 'search',
    compares: false,
    declared: `{ type: http, url: "${sandbox.url}", timeout: 2s, lateRequest: 4s, breaker: { probeEvery: 1s..2s },
      allowAddresses: [127.0.0.1], entities: { item: { target: "/items/{key}" } } }`,
    settings: async () => ({}),
    catch: () => {
      throw new Error('nothing is kept back here')
    },
    async held() {
      const objects = sandbox.objects('items') as { key: string; value: Record<string, unknown> }[]
      const text = (value: unknown) => (value === null || value === undefined ? null : String(value))
      return new Map(
        objects.map(({ key, value }) => [
          key,
          { name: text(value.name), detail: text(value.detail), revision: text(value.revision) },
        ]),
      )
    },
    revisions: async () => new Map(),
    close: () => sandbox.close(),
  }
  return { search, sandbox }
}
