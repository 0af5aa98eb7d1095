import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Sighting } from '../../chaos/outage/sightings.ts'

export type SandboxKind = 'crm' | 'store'

/** To the child. */
export interface SandboxOrder {
  readonly kind: 'down' | 'up' | 'revisions'
}

/** From the child. */
export type SandboxNotice =
  | { readonly kind: 'started'; readonly url: string; readonly token: string }
  | { readonly kind: 'down' | 'up' }
  | { readonly kind: 'revisions'; readonly revisions: Readonly<Record<string, string>> }
  | { readonly kind: 'seen'; readonly sightings: readonly Sighting[] }

/** A sandbox in a process of its own, so that what it costs is not in the pipeline's event loops. */
export interface SandboxChild {
  readonly url: string
  readonly token: string
  /** Resolves when nobody listens any more. */
  goDown(): Promise<void>
  comeBack(): Promise<void>
  /** Product → revision that it holds. */
  revisions(): Promise<Readonly<Record<string, string>>>
  stop(): Promise<void>
}

const SCRIPT = fileURLToPath(new URL('./sandbox-process.ts', import.meta.url))

/** @param onSeen called with what it was sent, in order, some at a time */
export async function startSandboxChild(
  kind: SandboxKind,
  onSeen: (sightings: readonly Sighting[]) => void,
): Promise<SandboxChild> {
  const child = fork(SCRIPT, [kind], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const waiting = new Map<SandboxNotice['kind'], (notice: SandboxNotice) => void>()
  child.on('message', (notice: SandboxNotice) => {
    if (notice.kind === 'seen') onSeen(notice.sightings)
    else waiting.get(notice.kind)?.(notice)
  })
  const next = <K extends SandboxNotice['kind']>(wanted: K): Promise<Extract<SandboxNotice, { kind: K }>> =>
    new Promise((resolve, reject) => {
      waiting.set(wanted, (notice) => resolve(notice as Extract<SandboxNotice, { kind: K }>))
      void exited.then(() => reject(new Error(`the sandbox of the ${kind} has ended`)))
    })
  const ask = <K extends SandboxOrder['kind']>(order: K) => {
    const answer = next(order)
    child.send({ kind: order } satisfies SandboxOrder)
    return answer
  }
  const { url, token } = await next('started')
  return {
    url,
    token,
    async goDown() {
      await ask('down')
    },
    async comeBack() {
      await ask('up')
    },
    revisions: async () => (await ask('revisions')).revisions,
    async stop() {
      if (child.connected) child.disconnect()
      await exited
    },
  }
}
