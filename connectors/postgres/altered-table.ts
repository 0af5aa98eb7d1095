import { TributaryError } from '../../schemas/errors.ts'

/**
 * A captured table is not what it was: its rows may not be captured as they come. The source is checked again; if the table fits as it is
 * now, its entity is snapshotted anew and capture goes on.
 */
export class AlteredTable extends TributaryError {
  readonly entity: string

  constructor(entity: string, what: string) {
    super('table-altered', what)
    this.entity = entity
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
