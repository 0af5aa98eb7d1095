import { fullUpsert, maskedUpdate, partialUpdate } from './statements.ts'
import type { Table } from './tables.ts'

/**
 * The statement texts of one table, built once. What is in here may be prepared on the server; prepared statements are never
 * given back, so the first {@link COLUMN_SETS_MAX} sets of columns have a place and later ones go without.
 */
export class StatementTexts {
  readonly #table: Table
  readonly #texts = new Map<string, string>()
  #masked: string | undefined

  constructor(table: Table) {
    this.#table = table
  }

  /** The text for a set of column numbers; undefined when there is no place left. */
  full(set: readonly number[]): string | undefined {
    return this.#text(`full ${set.join(',')}`, () => fullUpsert(this.#table, this.#columns(set)))
  }

  partial(set: readonly number[]): string | undefined {
    return this.#text(`partial ${set.join(',')}`, () => partialUpdate(this.#table, this.#columns(set)))
  }

  masked(): string {
    this.#masked ??= maskedUpdate(this.#table)
    return this.#masked
  }

  #text(name: string, build: () => string): string | undefined {
    const known = this.#texts.get(name)
    if (known !== undefined || this.#texts.size >= COLUMN_SETS_MAX) return known
    const text = build()
    this.#texts.set(name, text)
    return text
  }

  #columns(set: readonly number[]) {
    return set.map((at) => this.#table.columns[at]!)
  }
}

/** How many sets of columns of one table have a prepared statement of their own. */
export const COLUMN_SETS_MAX = 64
