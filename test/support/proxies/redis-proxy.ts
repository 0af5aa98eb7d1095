import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { openTcpProxy, type Piece, type TcpProxy } from './tcp-proxy.ts'

const SCRIPTS = ['claim', 'gate', 'settle'] as const
const LINE = Buffer.from('\r\n')

/**
 * A way to Redis that knows the ledger's scripts: the kinds of its requests are `claim`, `gate` and `settle`.
 * @param sent a script's text as it is sent, where that is not the file's
 */
export async function openRedisProxy(
  url: string,
  sent: (name: string, text: string) => string = (_name, text) => text,
): Promise<TcpProxy & { readonly url: string }> {
  const { hostname: host, port } = new URL(url)
  const kinds = new Map<string, string>()
  for (const name of SCRIPTS) {
    const file = new URL(`../../../consumers/ledger/${name}.lua`, import.meta.url)
    const text = sent(name, readFileSync(file, 'utf8'))
    kinds.set(text, name)
    kinds.set(createHash('sha1').update(text).digest('hex'), name)
  }
  const proxy = await openTcpProxy({ host, port: Number(port) }, () => splitCommands(kinds))
  return { ...proxy, url: `redis://127.0.0.1:${proxy.port}` }
}

/** Commands as clients send them: arrays of bulk strings (RESP). */
function splitCommands(kinds: ReadonlyMap<string, string>): (chunk: Buffer) => readonly Piece[] {
  let rest = Buffer.alloc(0)
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    const pieces: Piece[] = []
    for (let read = readCommand(rest); read !== null; read = readCommand(rest)) {
      pieces.push({ kind: kinds.get(read.script) ?? '', bytes: rest.subarray(0, read.length) })
      rest = rest.subarray(read.length)
    }
    return pieces
  }
}

/** The first command, and its second part: of EVALSHA and EVAL the script. null while it is not whole. */
function readCommand(bytes: Buffer): { readonly length: number; readonly script: string } | null {
  let at = 0
  const number = (): number | null => {
    const end = bytes.indexOf(LINE, at)
    if (end < 0) return null
    const value = Number(bytes.toString('latin1', at + 1, end))
    at = end + LINE.length
    return value
  }
  const parts = number()
  let script = ''
  for (let part = 0; part < (parts ?? 0); part++) {
    const length = number()
    if (length === null || at + length + LINE.length > bytes.length) return null
    if (part === 1) script = bytes.toString('utf8', at, at + length)
    at += length + LINE.length
  }
  return parts === null ? null : { length: at, script }
}
