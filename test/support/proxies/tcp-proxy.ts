import { once } from 'node:events'
import net from 'node:net'
import { Hold, type Side } from '../hold.ts'

/** A way to one server on which a request or an answer can be kept back. */
export interface TcpProxy {
  readonly port: number
  /**
   * Keeps the next request of this kind back, or what the server sends next after one.
   * @param skip how many of them pass before
   */
  catch(side: Side, kind: string, skip?: number): Hold
  close(): Promise<void>
}

/** A piece of what a client sends, whole for its protocol. */
export interface Piece {
  readonly kind: string
  readonly bytes: Buffer
}

/**
 * @param pieces makes a splitter for one connection: given what came, the pieces that are complete. What is no piece of a known kind has
 * the kind ''
 */
export async function openTcpProxy(
  target: { readonly host: string; readonly port: number },
  pieces: () => (chunk: Buffer) => readonly Piece[],
): Promise<TcpProxy> {
  const sockets = new Set<net.Socket>()
  let armed: { readonly side: Side; readonly kind: string; readonly hold: Hold } | null = null

  const server = net.createServer((client) => {
    const upstream = net.connect(target.port, target.host)
    const split = pieces()
    let answer: Hold | null = null
    const end = () => {
      for (const socket of [client, upstream]) socket.destroy()
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket
        .setNoDelay(true)
        .on('error', () => {})
        .on('close', () => sockets.delete(socket))
    }
    const pass = async (hold: Hold, to: net.Socket, bytes: Buffer) => {
      if ((await hold.caught()) === 'drop') end()
      else if (!to.destroyed) to.write(bytes)
    }
    const take = async ({ kind, bytes }: Piece) => {
      if (armed !== null && armed.kind === kind && armed.hold.isNext()) {
        const { side, hold } = armed
        armed = null
        if (side === 'request') return await pass(hold, upstream, bytes)
        answer = hold
      }
      if (!upstream.destroyed) upstream.write(bytes)
    }
    let sent = Promise.resolve()
    let answered = Promise.resolve()
    client.on('data', (chunk) => {
      for (const piece of split(chunk)) sent = sent.then(() => take(piece))
    })
    upstream.on('data', (chunk) => {
      const hold = answer
      answer = null
      answered = answered.then(async () => {
        if (hold !== null) await pass(hold, client, chunk)
        else if (!client.destroyed) client.write(chunk)
      })
    })
    // What is kept back may yet go on when its client is long gone.
    client.on('close', () => void sent.then(() => upstream.end()))
    upstream.on('close', () => void answered.then(() => client.destroy()))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as net.AddressInfo).port,
    catch(side, kind, skip = 0) {
      const hold = new Hold(skip)
      armed = { side, kind, hold }
      return hold
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}
