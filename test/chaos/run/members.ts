import type { Flow, FlowProcess } from '../../support/flow.ts'
import type { OutputEntry } from '../histories/history.ts'

/** A process of the pipeline: what it is started with, each time anew. */
export interface MemberPlan {
  readonly args: readonly string[]
  /** Environment variables of its own: its ways to the servers. */
  readonly settings: Readonly<Record<string, string>>
}

/** The processes of a run, each started again whenever it ends, as whatever looks after processes does. */
export interface Members {
  readonly names: readonly string[]
  kill(name: string): void
  /** Asks it to end, as at every deployment. */
  terminate(name: string): void
  freeze(name: string): void
  thaw(): void
  /** Has it started again with these environment variables besides; the next time, as before. */
  restartWith(name: string, settings: Readonly<Record<string, string>>): void
  /** Starts one more of a kind for a while: its group shares out anew, twice. */
  add(name: string): () => Promise<void>
  readonly running: () => readonly { readonly name: string; readonly pid: number }[]
  /** Adds what each shows to whoever asks, its pages, to what it wrote. */
  readPages(): Promise<void>
  /** All they ever wrote, a line each. */
  readonly output: readonly OutputEntry[]
  /** Asks all to end; the exit code of each. */
  stop(): Promise<readonly (number | null)[]>
}

const AGAIN_AFTER_MS = 300
const PAGES = ['/metrics', '/healthz', '/readyz']
const PAGE_MS_MAX = 1_000

export function startMembers(flow: Flow, plans: Readonly<Record<string, MemberPlan>>): Members {
  const running = new Map<string, FlowProcess>()
  const frozen = new Set<FlowProcess>()
  const output: OutputEntry[] = []
  const once = new Map<string, Readonly<Record<string, string>>>()
  let isOver = false

  const run = (name: string, { args, settings }: MemberPlan): FlowProcess => {
    const one = flow.startWith(settings, ...args)
    let rest = ''
    one.child.stderr?.on('data', (chunk) => {
      const lines = (rest + String(chunk)).split('\n')
      rest = lines.pop()!
      for (const text of lines) output.push({ atMs: Date.now(), process: `${name} ${one.child.pid}`, text })
    })
    return one
  }
  const keep = (name: string): void => {
    const { args, settings } = plans[name]!
    const one = run(name, { args, settings: { ...settings, ...once.get(name) } })
    once.delete(name)
    running.set(name, one)
    void one.exited.then((code) => {
      if (isOver) return
      output.push({ atMs: Date.now(), process: `${name} ${one.child.pid}`, text: `(ended with ${code ?? 'a signal'})` })
      setTimeout(() => {
        if (!isOver) keep(name)
      }, AGAIN_AFTER_MS)
    })
  }
  for (const name of Object.keys(plans)) keep(name)

  return {
    names: Object.keys(plans),
    kill(name) {
      running.get(name)!.kill('SIGKILL')
    },
    terminate(name) {
      running.get(name)!.kill('SIGTERM')
    },
    freeze(name) {
      const one = running.get(name)!
      frozen.add(one)
      one.kill('SIGSTOP')
    },
    thaw() {
      for (const one of frozen) one.kill('SIGCONT')
      frozen.clear()
    },
    restartWith(name, settings) {
      once.set(name, settings)
      running.get(name)!.kill('SIGKILL')
    },
    add(name) {
      const one = run(`${name} more`, plans[name]!)
      return async () => {
        one.kill('SIGTERM')
        await one.exited
      }
    },
    running: () => [...running].map(([name, { child }]) => ({ name, pid: child.pid! })),
    async readPages() {
      for (const [name, one] of running) {
        const url = /http:\/\/127\.0\.0\.1:\d+/.exec(one.log())?.[0]
        if (url === undefined) continue
        for (const page of PAGES) {
          // One that was just killed or frozen shows nothing.
          const text = await fetch(url + page, { signal: AbortSignal.timeout(PAGE_MS_MAX) })
            .then((answer) => answer.text())
            .catch(() => null)
          if (text !== null) output.push({ atMs: Date.now(), process: `${name} ${one.child.pid}${page}`, text })
        }
      }
    },
    output,
    async stop() {
      isOver = true
      for (const one of frozen) one.kill('SIGCONT')
      for (const one of running.values()) one.kill('SIGTERM')
      return await Promise.all([...running.values()].map(({ exited }) => exited))
    },
  }
}
