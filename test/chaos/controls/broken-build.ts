import { fileURLToPath } from 'node:url'
import type { FlowProcess } from '../../support/flow.ts'
import type { Flaw, Piece } from './flaw.ts'

/** Names the flaw for {@link file://./break-modules.ts}; nothing of the product reads it. */
export const FLAW_VARIABLE = 'BROKEN_BUILD'

const HOOK = fileURLToPath(new URL('./break-modules.ts', import.meta.url))

/** What a process writes to stderr for each piece that was replaced in it. */
export function brokenLine(flaw: string, { file }: Piece): string {
  return `broken build: ${flaw} in ${file}`
}

/** The environment in which a process of the product runs with a flaw; null for the build as it is. */
export function buildSettings(flaw: Flaw | null): Readonly<Record<string, string>> {
  if (flaw === null) return {}
  return { NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --import=${HOOK}`.trim(), [FLAW_VARIABLE]: flaw.name }
}

/** @throws Error when a process did not load everything that its flaw breaks */
export function requireBroken(flaw: Flaw, started: FlowProcess): void {
  for (const piece of flaw.pieces)
    if (!started.log().includes(brokenLine(flaw.name, piece)))
      throw new Error(`"${flaw.name}" did not break ${piece.file}:\n${started.log()}`)
}
