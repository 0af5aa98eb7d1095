import fs from 'node:fs'
import { registerHooks, syncBuiltinESMExports } from 'node:module'
import { fileURLToPath } from 'node:url'
import { brokenLine, FLAW_VARIABLE } from './broken-build.ts'
import { type Piece, replacePiece } from './flaw.ts'
import { flawNamed } from './flaws.ts'

/*
 * Loaded before a process of the product (`--import`), which then runs with a flaw. A piece that is not found ends the process: a
 * broken build that is whole would prove nothing. Each piece that was replaced is told, so that one in a file that was never loaded is noticed.
 */

const ROOT = new URL('../../../', import.meta.url)
const flaw = flawNamed(process.env[FLAW_VARIABLE] ?? '')
const pieces = Map.groupBy(flaw.pieces, ({ file }) => fileURLToPath(new URL(file, ROOT)))

function broken(text: string, all: readonly Piece[]): string {
  return all.reduce((so, piece) => {
    const replaced = replacePiece(so, piece)
    process.stderr.write(`${brokenLine(flaw.name, piece)}\n`)
    return replaced
  }, text)
}

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context)
    const own = url.startsWith('file:') ? pieces.get(fileURLToPath(url)) : undefined
    if (own === undefined) return loaded
    if (loaded.source == null) throw new Error(`the source of ${url} is not seen, so it cannot be broken`)
    const text = typeof loaded.source === 'string' ? loaded.source : Buffer.from(loaded.source as Uint8Array).toString()
    return { ...loaded, source: broken(text, own) }
  },
})

// What is no module is read as text: the scripts of the ledger.
const { readFileSync } = fs
fs.readFileSync = ((...args: Parameters<typeof readFileSync>) => {
  const [from] = args
  const read = readFileSync(...args)
  const path = from instanceof URL ? fileURLToPath(from) : String(from)
  const own = path.endsWith('.lua') ? pieces.get(path) : undefined
  return own === undefined || typeof read !== 'string' ? read : broken(read, own)
}) as typeof readFileSync
syncBuiltinESMExports()
