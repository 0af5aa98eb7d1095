import { once } from 'node:events'
import net from 'node:net'
import { createServer } from 'node:tls'
import type { Certificate } from '../servers/certificates.ts'

/** A way to a server that speaks TLS in its place. To a client it is the same as a server that does. */
export interface TlsFront {
  readonly port: number
  close(): Promise<void>
}

/** @param clients who signed the certificates of clients; without, none is asked for */
export async function openTlsFront(
  target: { readonly host: string; readonly port: number },
  { certificate, key }: Certificate,
  clients?: string,
): Promise<TlsFront> {
  const sockets = new Set<net.Socket>()
  const asked = clients === undefined ? {} : { ca: clients, requestCert: true, rejectUnauthorized: true }
  const server = createServer({ cert: certificate, key, ...asked }, (client) => {
    const upstream = net.connect(target.port, target.host)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket
        .setNoDelay(true)
        .on('error', () => {})
        .on('close', () => {
          sockets.delete(socket)
          client.destroy()
          upstream.destroy()
        })
    }
    client.pipe(upstream).pipe(client)
  })
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as net.AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy()
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}
