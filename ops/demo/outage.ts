import { setTimeout as wait } from 'node:timers/promises'
import type { OutsideSystem } from './systems.ts'

export interface ScheduledOutage {
  readonly afterMs: number
  readonly forMs: number
}

/** Fails and heals one system of the demo: by a key, or by a plan. */
export class OutageSwitch {
  readonly #system: Pick<OutsideSystem, 'fail' | 'heal'>
  readonly #onChange: (failing: boolean) => void
  #failing = false
  #turning: Promise<void> | null = null

  constructor(system: Pick<OutsideSystem, 'fail' | 'heal'>, onChange: (failing: boolean) => void) {
    this.#system = system
    this.#onChange = onChange
  }

  get failing(): boolean {
    return this.#failing
  }

  /** Settled when it is so. A second call before that changes nothing. */
  async toggle(): Promise<void> {
    this.#turning ??= this.#turn(!this.#failing).finally(() => {
      this.#turning = null
    })
    await this.#turning
  }

  /** Fails and heals it once, unless somebody has done so meanwhile. Ends early with `signal`. */
  async schedule({ afterMs, forMs }: ScheduledOutage, signal: AbortSignal): Promise<void> {
    for (const { ms, failing } of [
      { ms: afterMs, failing: true },
      { ms: forMs, failing: false },
    ]) {
      await wait(ms, undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      if (this.#failing !== failing) await this.toggle()
    }
  }

  async #turn(failing: boolean): Promise<void> {
    await (failing ? this.#system.fail() : this.#system.heal())
    this.#failing = failing
    this.#onChange(failing)
  }
}
