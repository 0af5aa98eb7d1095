import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Hold, type Side } from '../hold.ts'

/** A way to a system behind HTTP on which a request or an answer can be kept back. */
export interface HttpProxy {
  readonly url: string
  /**
   * Keeps the next request back, or its answer.
   * @param skip how many of them pass before
   */
  catch(side: Side, skip?: number): Hold
  close(): Promise<void>
}

/** @param target `http://host:port`: it is never seen by the client, in whatever is said of it */
export async function openHttpProxy(target: string): Promise<HttpProxy> {
  let armed: { readonly side: Side; readonly hold: Hold } | null = null
  let url = ''

  const serve = async (incoming: IncomingMessage, response: ServerResponse) => {
    const body = renamed(await bytesOf(incoming), url, target)
    let hold: Hold | null = null
    let side: Side = 'request'
    if (armed?.hold.isNext()) {
      ;({ hold, side } = armed)
      armed = null
    }
    if (hold && side === 'request' && (await hold.caught()) === 'drop') return void response.destroy()
    const headers = { ...incoming.headers, 'content-length': String(body.length) }
    delete headers['transfer-encoding']
    const answered = await send(new URL(incoming.url!, target), incoming.method!, headers, body)
    if (hold && side === 'answer' && (await hold.caught()) === 'drop') return void response.destroy()
    const answer = renamed(answered.body, target, url)
    const told = JSON.parse(renamed(Buffer.from(JSON.stringify(answered.headers)), target, url).toString())
    delete told['transfer-encoding']
    response.writeHead(answered.status, { ...told, ...(answer.length > 0 ? { 'content-length': answer.length } : {}) })
    response.end(answer)
  }
  const server = createServer((incoming, response) => {
    serve(incoming, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    catch(side, skip = 0) {
      const hold = new Hold(skip)
      armed = { side, hold }
      return hold
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** Bytes in which one address stands for another, also where it is percent-encoded. */
function renamed(bytes: Buffer, from: string, to: string): Buffer {
  const text = bytes.toString('latin1')
  const changed = text.replaceAll(from, to).replaceAll(encodeURIComponent(from), encodeURIComponent(to))
  return changed === text ? bytes : Buffer.from(changed, 'latin1')
}

interface Answered {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

async function send(url: URL, method: string, headers: IncomingHttpHeaders, body: Buffer): Promise<Answered> {
  const outgoing = request(url, { method, headers, agent: false })
  outgoing.end(body)
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
  return { status: answer.statusCode!, headers: answer.headers, body: await bytesOf(answer) }
}

async function bytesOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}
