import type { Flow, FlowProcess } from '../../support/flow.ts'

/** The processes of a pipeline, each of which may be killed, started again, frozen and thawed. */
export interface Fleet {
  readonly members: readonly string[]
  /** Kills a process and starts another in its place. */
  replace(member: string): Promise<void>
  freeze(member: string): void
  /** Lets frozen processes go on, and starts those that ended by themselves. */
  heal(): void
  /** Asks all to end; the exit code of each. */
  stop(): Promise<(number | null)[]>
  /** The end of what each wrote, of those before it too. */
  log(): string
}

/** Starts the processes: a name and the command's arguments each. */
export function startFleet(flow: Flow, commands: Readonly<Record<string, readonly string[]>>): Fleet {
  const running = new Map<string, FlowProcess>()
  const former: string[] = []
  const frozen = new Set<string>()
  const start = (member: string) => running.set(member, flow.start(...commands[member]!))
  for (const member of Object.keys(commands)) start(member)
  const bury = (member: string) => former.push(`--- ${member}\n${running.get(member)!.log()}`)

  return {
    members: Object.keys(commands),
    async replace(member) {
      const gone = running.get(member)!
      gone.kill('SIGKILL')
      frozen.delete(member)
      await gone.exited
      bury(member)
      start(member)
    },
    freeze(member) {
      frozen.add(member)
      running.get(member)!.kill('SIGSTOP')
    },
    heal() {
      for (const member of frozen) running.get(member)!.kill('SIGCONT')
      frozen.clear()
      for (const [member, { child }] of running) {
        if (child.exitCode === null && child.signalCode === null) continue
        bury(member)
        start(member)
      }
    },
    async stop() {
      for (const { kill } of running.values()) kill('SIGTERM')
      return Promise.all([...running.values()].map(({ exited }) => exited))
    },
    log: () => [...former, ...[...running].map(([member, one]) => `--- ${member} (now)\n${one.log()}`)].join('\n'),
  }
}
