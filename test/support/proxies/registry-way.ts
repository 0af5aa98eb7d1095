import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * - `away`: whoever connects is cut off
 * - `silent`: whoever asks gets no answer
 * - `forgetful`: no schema has an id that is asked for, as after a restore that lost some
 */
type Trouble = 'away' | 'silent' | 'forgetful'

/** A way to the registry that can be broken. */
export interface RegistryWay {
  readonly url: string
  /** null: it passes everything on. */
  become(trouble: Trouble | null): void
  close(): Promise<void>
}

/** @param registry the base of its API */
export async function openRegistryWay(registry: string): Promise<RegistryWay> {
  let trouble: Trouble | null = null
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      if (trouble === 'away') return void response.destroy()
      if (trouble === 'silent') return
      if (trouble === 'forgetful' && incoming.url!.startsWith('/schemas/ids/')) {
        response.writeHead(404, { 'content-type': 'application/vnd.schemaregistry.v1+json' })
        return void response.end(JSON.stringify({ error_code: 40403, message: 'Schema not found' }))
      }
      const { method, headers } = incoming
      const passedOn = {
        accept: headers.accept ?? '*/*',
        'content-type': headers['content-type'] ?? 'application/json',
      }
      fetch(registry + incoming.url, {
        method: method!,
        headers: passedOn,
        body: chunks.length > 0 ? Buffer.concat(chunks) : null,
      })
        .then(async (answer) => {
          const body = Buffer.from(await answer.arrayBuffer())
          response.writeHead(answer.status, {
            'content-type': answer.headers.get('content-type') ?? 'application/json',
          })
          response.end(body)
        })
        .catch(() => response.destroy())
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    become(next) {
      trouble = next
      server.closeAllConnections()
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
