/** Which parts of this process do their work now. */
export class Readiness {
  readonly #parts = new Map<string, { ready: boolean; started: boolean; reason: string | undefined }>()
  readonly #onStarted: () => void
  #started = false

  /** @param onStarted called once, when every part has begun to work */
  constructor(onStarted: () => void = () => {}) {
    this.#onStarted = onStarted
  }

  /** @returns what that part calls whenever it begins or stops to work */
  part(name: string): (ready: boolean, reason?: string) => void {
    const part: { ready: boolean; started: boolean; reason: string | undefined } = {
      ready: false,
      started: false,
      reason: undefined,
    }
    this.#parts.set(name, part)
    return (ready, reason) => {
      part.ready = ready
      part.reason = ready ? undefined : reason
      part.started ||= ready
      this.#tellOnce()
    }
  }

  /** A part that cannot work until a person acts is not starting any more. */
  failed(name: string, reason: string): void {
    const part = this.#parts.get(name)!
    part.ready = false
    part.reason = reason
    part.started = true
    this.#tellOnce()
  }

  parts(): Readonly<Record<string, boolean>> {
    return Object.fromEntries([...this.#parts].map(([name, { ready }]) => [name, ready]))
  }

  /** Why parts do not work, where they said so. */
  reasons(): Readonly<Record<string, string>> {
    return Object.fromEntries(
      [...this.#parts].flatMap(([name, { reason }]) => (reason === undefined ? [] : [[name, reason]])),
    )
  }

  /**
   * False while a part is starting for the first time, and when all are cut off. One degraded part does not fail a process that has
   * others: it would be restarted, and the others with it.
   */
  get ready(): boolean {
    const parts = [...this.#parts.values()]
    return parts.every(({ started }) => started) && parts.some(({ ready }) => ready)
  }

  #tellOnce(): void {
    if (this.#started || !this.ready) return
    this.#started = true
    this.#onStarted()
  }
}
