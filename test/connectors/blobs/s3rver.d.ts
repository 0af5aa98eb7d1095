/** The part of this package that is used here; it comes without types. */
declare module 's3rver' {
  import type { Server } from 'node:http'

  export default class S3rver {
    readonly httpServer: Server
    constructor(options: {
      port: number
      address: string
      silent: boolean
      directory: string
      allowMismatchedSignatures: boolean
      vhostBuckets: boolean
      configureBuckets: { name: string; configs: string[] }[]
    })
    run(): Promise<{ readonly port: number }>
    close(): Promise<void>
  }
}
