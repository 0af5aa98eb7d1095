import { Gauge, type Registry } from 'prom-client'
import type { OpenDeadLettersView } from '../../producers/open-dead-letters.ts'

/** Gauges over the open capture dead letters of each source, computed when they are scraped. */
export function createOpenDeadLetterGauges(registers: Registry[]): (source: string, open: OpenDeadLettersView) => void {
  const views = new Map<string, OpenDeadLettersView>()
  const labelNames = ['source', 'entity'] as const
  new Gauge({
    name: 'tributary_capture_dead_letters_open',
    help: 'Rows that could not be encoded, without a good version since.',
    labelNames,
    registers,
    collect() {
      // Entities without any are not reported: a stale number would be worse.
      this.reset()
      for (const [source, view] of views)
        for (const { entity, open } of view.counts()) this.set({ source, entity }, open)
    },
  })
  new Gauge({
    name: 'tributary_capture_dead_letters_oldest_seconds',
    help: 'For how long the oldest open one of them could not be encoded.',
    labelNames,
    registers,
    collect() {
      this.reset()
      const nowSeconds = Date.now() / 1000
      for (const [source, view] of views)
        for (const { entity, oldestSince } of view.counts())
          this.set({ source, entity }, Math.max(0, nowSeconds - Number(oldestSince) / 1e6))
    },
  })
  new Gauge({
    name: 'tributary_capture_dead_letters_untracked',
    help: 'Open ones beyond the bound on what is kept in memory: only a replay removes them.',
    labelNames: ['source'],
    registers,
    collect() {
      for (const [source, view] of views) this.set({ source }, view.untracked)
    },
  })
  return (source, open) => views.set(source, open)
}
