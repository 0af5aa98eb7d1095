import { unlessAborted } from '../unless-aborted.ts'
import type { Session } from './session.ts'

/** Up to `size` sessions, each lent to one caller at a time, opened when they are needed. */
export class SessionPool {
  readonly #size: number
  readonly #open: () => Promise<Session>
  readonly #idle: Session[] = []
  readonly #waiting: (() => void)[] = []
  readonly #drained: (() => void)[] = []
  #lent = 0
  #closed = false

  constructor(size: number, open: () => Promise<Session>) {
    this.#size = size
    this.#open = open
  }

  /** Whether so many callers wait already that one more should come back later. */
  get crowded(): boolean {
    return this.#waiting.length >= WAITING_MAX
  }

  /**
   * Lends a session to `use`. A session that is no longer usable afterwards is forgotten.
   * @throws the signal's reason when it aborts first; what opening or `use` threw
   */
  async lend<T>(signal: AbortSignal, use: (session: Session) => Promise<T>): Promise<T> {
    await this.#place(signal)
    try {
      const session = await this.#session(signal)
      try {
        return await use(session)
      } finally {
        if (session.usable && !this.#closed) this.#idle.push(session)
        else if (session.usable) await session.close()
      }
    } finally {
      this.#lent--
      this.#waiting.shift()?.()
      if (this.#lent === 0) for (const drained of this.#drained.splice(0)) drained()
    }
  }

  /** Waits for lent sessions and closes all. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true
    for (const wake of this.#waiting.splice(0)) wake()
    await Promise.all(this.#idle.splice(0).map((session) => session.close()))
    if (this.#lent > 0) await new Promise<void>((resolve) => this.#drained.push(resolve))
  }

  async #place(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    while (!this.#closed && this.#lent >= this.#size) await this.#turn(signal)
    if (this.#closed) throw Object.assign(new Error('this destination is closed'), { code: 'ECONNABORTED' })
    this.#lent++
  }

  async #turn(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = () => {
      const at = this.#waiting.indexOf(resolve)
      // Woken and aborted at once: the turn goes to the next.
      if (at >= 0) this.#waiting.splice(at, 1)
      else this.#waiting.shift()?.()
      reject(signal.reason)
    }
    this.#waiting.push(resolve)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** An idle session, or a new one; one that opens after the signal aborted is thrown away. */
  async #session(signal: AbortSignal): Promise<Session> {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) if (idle.usable) return idle
    const opening = this.#open()
    try {
      return await unlessAborted(opening, signal)
    } catch (error) {
      // The caller has the error; a session that opens after all is not wanted any more.
      opening.then(
        (session) => session.destroy(),
        () => undefined,
      )
      throw error
    }
  }
}

/** The most callers that wait for a session. */
const WAITING_MAX = 1000
