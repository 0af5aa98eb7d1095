/** Something on its way that is kept back until whoever wanted it decides. */
export interface Held {
  /** Resolves when it is there. */
  readonly arrived: Promise<void>
  /** Lets it go on. */
  release(): void
  /** Nobody will ever get it. */
  drop(): void
}

export class Hold implements Held {
  readonly #arrived = Promise.withResolvers<void>()
  readonly #decided = Promise.withResolvers<'release' | 'drop'>()
  #skip: number

  /** @param skip how many pass before the one that is kept */
  constructor(skip: number) {
    this.#skip = skip
  }

  get arrived(): Promise<void> {
    return this.#arrived.promise
  }

  release(): void {
    this.#decided.resolve('release')
  }

  drop(): void {
    this.#decided.resolve('drop')
  }

  /** For who keeps it: whether this is the one. */
  isNext(): boolean {
    return this.#skip-- <= 0
  }

  /** For who keeps it: it is there; resolves with what is to become of it. */
  caught(): Promise<'release' | 'drop'> {
    this.#arrived.resolve()
    return this.#decided.promise
  }
}

/** Which way something goes: from the client, or back to it. */
export type Side = 'request' | 'answer'
