import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import S3rver from 's3rver'
import type { S3Options } from '../../../connectors/blobs/s3.ts'
import { isSigned } from './verify-signature.ts'

const BUCKET = 'large-values'
/** The one key that the server takes. */
const KEY = 'S3RVER'

export interface BlobServer {
  readonly options: S3Options
  /** Stops it, with what it holds kept, and starts it again at the same address. */
  stop(): Promise<void>
  start(): Promise<void>
  /** Makes an object look as if it had been written then. */
  age(name: string, atMs: number): void
  /** Puts bytes under a name behind the server's back. */
  write(name: string, bytes: Buffer): void
  close(): Promise<void>
}

/** That server checks signatures of version 2 only, so those of version 4 are checked in front of it. */
function requireSignatures(server: Server): void {
  const [handle] = server.listeners('request') as [(request: IncomingMessage, response: ServerResponse) => void]
  server.removeAllListeners('request')
  server.on('request', (request, response) => {
    if (isSigned(request, KEY, KEY, Date.now())) return handle(request, response)
    request.resume()
    response.writeHead(403, { 'content-type': 'application/xml' })
    response.end('<Error><Code>SignatureDoesNotMatch</Code></Error>')
  })
}

/** An S3 server that others wrote. */
export async function startBlobServer(): Promise<BlobServer> {
  const directory = mkdtempSync(join(tmpdir(), 'tributary-s3-'))
  /** Where this server keeps an object. */
  const fileOf = (name: string) => join(directory, BUCKET, `${name}._S3rver_object`)
  let port = 0
  let server: S3rver | undefined
  const start = async () => {
    server = new S3rver({
      port,
      address: '127.0.0.1',
      silent: true,
      directory,
      allowMismatchedSignatures: false,
      vhostBuckets: false,
      configureBuckets: [{ name: BUCKET, configs: [] }],
    })
    port = (await server.run()).port
    requireSignatures(server.httpServer)
  }
  const stop = async () => {
    const closed = server?.close()
    server?.httpServer.closeAllConnections()
    await closed
    server = undefined
  }
  await start()
  return {
    options: {
      endpoint: `http://127.0.0.1:${port}`,
      bucket: BUCKET,
      region: 'eu-central-1',
      prefix: 'shop/',
      accessKeyId: KEY,
      secretAccessKey: KEY,
    },
    start,
    stop,
    age: (name, atMs) => utimesSync(fileOf(name), new Date(atMs), new Date(atMs)),
    write(name, bytes) {
      mkdirSync(dirname(fileOf(name)), { recursive: true })
      writeFileSync(fileOf(name), bytes)
      writeFileSync(join(dirname(fileOf(name)), `${basename(name)}._S3rver_metadata.json`), '{}')
    },
    async close() {
      if (server !== undefined) await stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
