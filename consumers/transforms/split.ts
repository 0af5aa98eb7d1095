import type { Transform } from './transform.ts'

/**
 * One part of a text, without the blanks around it. A null, a part that is not there and one of blanks only give null.
 * @param part counted from 1; from the end where negative: -1 is the last
 */
export function split(separator: string, part: number): Transform {
  return ([value]) => {
    if (value === null) return null
    const parts = (value as string).split(separator)
    const text = parts.at(part > 0 ? part - 1 : part)?.trim()
    return text === undefined || text === '' ? null : text
  }
}
