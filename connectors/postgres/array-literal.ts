/**
 * Splits PostgreSQL's text form of an array, such as `{1,NULL,"a \"b\""}`, into its elements' text.
 * @returns undefined when it has more than one dimension
 */
export function splitArray(literal: string): readonly (string | null)[] | undefined {
  // Bounds other than 1 are written in front: [0:2]={…}.
  let at = literal.startsWith('[') ? literal.indexOf('=') + 1 : 0
  if (literal[at] !== '{') return undefined
  at++
  const elements: (string | null)[] = []
  if (literal[at] === '}') return elements
  for (;;) {
    if (literal[at] === '{') return undefined
    if (literal[at] === '"') {
      let element = ''
      for (at++; literal[at] !== '"'; at++) {
        if (literal[at] === '\\') at++
        if (at >= literal.length) return undefined
        element += literal[at]
      }
      elements.push(element)
      at++
    } else {
      let end = at
      while (end < literal.length && literal[end] !== ',' && literal[end] !== '}') end++
      const element = literal.slice(at, end)
      elements.push(element === 'NULL' ? null : element)
      at = end
    }
    if (literal[at] === '}') return elements
    if (literal[at] !== ',') return undefined
    at++
  }
}

/** The text form of an array of texts, to be cast by the server: the inverse of {@link splitArray}. */
export function joinArray(elements: readonly (string | null)[]): string {
  return `{${elements.map((element) => (element === null ? 'NULL' : `"${element.replace(/[\\"]/g, '\\$&')}"`)).join(',')}}`
}
