import { counted, type Finding, ok, warn } from '../finding.ts'

/** Rows that wait for a value that fits. @param open entity → how many. Pure. */
export function decideLetters(source: string, open: ReadonlyMap<string, number>): readonly Finding[] {
  const count = [...open.values()].reduce((sum, one) => sum + one, 0)
  if (count === 0) return [ok('source-letters', source, 'every row could be encoded')]
  const which = [...open].map(([entity, one]) => `${one} of ${entity}`).join(', ')
  const found = `${counted(count, 'row')} could not be encoded (${which}): subscribers keep what they had`
  return [warn('source-letters', source, found, `tributary dlq list ${source}`)]
}
