import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A way to the registry for those with the right header `authorization` alone. */
export interface RegistryDoor {
  readonly port: number
  close(): Promise<void>
}

/**
 * @param registry the base of its API
 * @param allowed the headers that open it
 */
export async function openRegistryDoor(registry: string, allowed: readonly string[]): Promise<RegistryDoor> {
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const { method, url, headers } = incoming
      if (!allowed.includes(headers.authorization ?? '')) {
        response.writeHead(401, { 'content-type': 'application/json' })
        return void response.end('{"error_code":40101,"message":"Unauthorized"}')
      }
      const { accept = '*/*', 'content-type': type = 'application/json' } = headers
      fetch(registry + url, {
        method: method!,
        headers: { accept, 'content-type': type },
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
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
