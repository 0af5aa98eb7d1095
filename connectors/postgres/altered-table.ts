import { TributaryError } from '../../schemas/errors.ts'

/**
 * Captured tables are not what they were: their rows may not be captured as they come. The source is checked again; if they fit as they
 * are now, their entities are snapshotted anew and capture goes on.
 */
export class AlteredTable extends TributaryError {
  readonly entities: readonly string[]

  constructor(entities: readonly string[], what: string) {
    super('table-altered', what)
    this.entities = entities
  }
}

/**
 * What follows an altered table: nothing more if the source, checked again by `inspect`, can be captured as declared.
 * @throws TributaryError `source-unsuitable` with what happened and everything that is to be done; `source-unreachable`
 */
export async function requireSuitable(altered: AlteredTable, inspect: () => Promise<unknown>): Promise<void> {
  try {
    await inspect()
  } catch (error) {
    if (!(error instanceof TributaryError) || error.code !== 'source-unsuitable') throw error
    throw new TributaryError('source-unsuitable', `${altered.message}. Now ${error.message}`, { cause: error })
  }
}
