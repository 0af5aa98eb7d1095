import { TributaryError } from '../../schemas/errors.ts'

/** Questions to servers of which some may be away: what did not answer leaves a gap, and is named once. */
export class Questions {
  readonly #failures = new Map<string, TributaryError>()

  get failures(): readonly TributaryError[] {
    return [...this.#failures.values()]
  }

  /**
   * @returns the answer; undefined, and a note of why, when there is none
   * @throws what is a defect
   */
  async ask<T>(question: Promise<T>): Promise<T | undefined> {
    try {
      return await question
    } catch (error) {
      if (!(error instanceof TributaryError)) throw error
      this.#failures.set(error.message, error)
      return undefined
    }
  }
}
