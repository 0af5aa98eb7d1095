import type { Flow, FlowProcess } from '../../support/flow.ts'
import type { KafkaProxy } from '../../support/proxies/kafka-proxy.ts'

/** Capture processes of one source, of which one has the slot and the others wait, each with a way of its own to Kafka. */
export interface Captures {
  /** @param forMs how long until another is started in its place */
  end(member: number, signal: 'SIGKILL' | 'SIGTERM', forMs: number): void
  freeze(member: number, forMs: number): void
  proxy(member: number): KafkaProxy
  /** Lets all go on, on a whole network, and starts those that are gone. */
  heal(): void
  /** Asks all to end; the exit code of each, null for one that had only just started. */
  stop(): Promise<(number | null)[]>
  /** The end of what each wrote, of those before it too. */
  log(): string
}

export function startCaptures(flow: Flow, proxies: readonly KafkaProxy[]): Captures {
  const former: string[] = []
  const timers = new Set<NodeJS.Timeout>()
  let isOver = false
  const running: FlowProcess[] = proxies.map((_, member) => start(member))

  function start(member: number): FlowProcess {
    return flow.startWith({ TRIBUTARY_KAFKA_BROKERS: proxies[member]!.address }, 'capture', 'erp')
  }
  const after = (forMs: number, run: () => void) => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      run()
    }, forMs)
    timers.add(timer)
  }
  const isGone = ({ child }: FlowProcess) => child.exitCode !== null || child.signalCode !== null
  const startAgain = (member: number) => {
    if (isOver || !isGone(running[member]!)) return
    former.push(`--- capture ${member}, process ${running[member]!.child.pid}\n${running[member]!.log()}`)
    running[member] = start(member)
  }

  return {
    end(member, signal, forMs) {
      const one = running[member]!
      one.kill(signal)
      // One that is frozen, or that drains, may take its time.
      void one.exited.then(() => after(forMs, () => startAgain(member)))
    },
    freeze(member, forMs) {
      const one = running[member]!
      one.kill('SIGSTOP')
      after(forMs, () => one.kill('SIGCONT'))
    },
    proxy: (member) => proxies[member]!,
    heal() {
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
      for (const proxy of proxies) proxy.heal()
      for (const [member, one] of running.entries()) {
        one.kill('SIGCONT')
        startAgain(member)
      }
    },
    async stop() {
      isOver = true
      for (const { kill } of running) kill('SIGTERM')
      return Promise.all(running.map(({ exited }) => exited))
    },
    log: () =>
      [...former, ...running.map((one, at) => `--- capture ${at} (now), process ${one.child.pid}\n${one.log()}`)].join(
        '\n',
      ),
  }
}
