import Fastify from 'fastify'
import type { Registry } from 'prom-client'
import { systemCode, TributaryError } from '../../schemas/errors.ts'
import type { Readiness } from './readiness.ts'

/** Where nobody says otherwise. */
export const METRICS_PORT = 9464

export interface HealthServer {
  readonly url: string
  close(): Promise<void>
}

/**
 * Serves `/metrics`, `/healthz` (200 while the process lives) and `/readyz` (503 while a part is starting or cut off).
 * @param port 0 for any free one
 * @throws TributaryError `environment-missing` when the port is taken
 */
export async function serveHealth(
  host: string,
  port: number,
  metrics: Registry,
  readiness: Readiness,
): Promise<HealthServer> {
  const server = Fastify({ logger: false, bodyLimit: 1024 })
  server.get('/metrics', async (_request, reply) => {
    reply.header('content-type', metrics.contentType)
    return metrics.metrics()
  })
  server.get('/healthz', async () => ({ ok: true }))
  server.get('/readyz', async (_request, reply) => {
    const parts = readiness.parts()
    const ok = readiness.ready
    reply.code(ok ? 200 : 503)
    return { ok, parts, reasons: readiness.reasons() }
  })
  try {
    const url = await server.listen({ host, port })
    return { url, close: () => server.close() }
  } catch (cause) {
    throw new TributaryError(
      'environment-missing',
      `Port ${port} on ${host} ${whyNot(cause)}. Choose another with --port (0 for any free one).`,
      { cause },
    )
  }
}

function whyNot(cause: unknown): string {
  const code = systemCode(cause) ?? 'no reason given'
  if (code === 'EADDRINUSE') return 'is in use by another process'
  if (code === 'EACCES') return 'may not be served by this user'
  return `cannot be served (${code})`
}
