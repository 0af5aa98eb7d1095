import type { EntityMapping, Outcome } from '../destination.ts'
import { refusalOf } from './answers.ts'
import { type Asker, eachFound } from './ask.ts'
import { idQueries, type Paths } from './paths.ts'
import { keyFieldOf } from './record/fields.ts'

/** The ids of objects by key; an outcome where there is no one id. A key that is missing in it has no object. */
export async function lookUp(
  ask: Asker,
  paths: Paths,
  mapping: EntityMapping,
  keys: readonly string[],
): Promise<ReadonlyMap<string, string | Outcome>> {
  const ids = new Map<string, string | Outcome>()
  const keyField = keyFieldOf(mapping)
  const wanted = new Set(keys)
  for (const soql of idQueries(mapping, [...wanted])) {
    const failure = await eachFound(ask, paths.query(soql), (record) => {
      const key = record[keyField]
      const id = record.Id
      if (typeof key !== 'string' || typeof id !== 'string' || !wanted.has(key)) return
      const several = refusalOf([{ code: 'MULTIPLE_CHOICES', message: '', fields: [] }], [{}], mapping, 'key')!
      ids.set(key, ids.has(key) ? several : id)
    })
    // Without its answer none of these keys can be told from a missing one.
    if (failure !== null) return new Map(keys.map((key) => [key, failure]))
  }
  return ids
}
