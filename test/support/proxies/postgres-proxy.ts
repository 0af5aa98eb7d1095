import { openTcpProxy, type TcpProxy } from './tcp-proxy.ts'

/** A way to PostgreSQL. What a client sends at once is one request, of the kind `request`; its start-up and its password are among them. */
export async function openPostgresProxy(url: string): Promise<TcpProxy & { readonly url: string }> {
  const through = new URL(url)
  const target = { host: through.hostname, port: Number(through.port) }
  const proxy = await openTcpProxy(target, () => (bytes) => [{ kind: 'request', bytes }])
  through.hostname = '127.0.0.1'
  through.port = String(proxy.port)
  return { ...proxy, url: through.toString() }
}
