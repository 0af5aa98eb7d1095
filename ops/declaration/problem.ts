/** One thing that is wrong with a declaration: where, what, and what would be right. Lines and columns count from 1. */
export interface Problem {
  readonly file: string
  readonly line: number
  readonly column: number
  /** Such as `entities.customer.fields.email`; empty for the file as a whole. */
  readonly path: string
  readonly message: string
  readonly suggestion?: string
}

/** How the message of an unknown field begins: its value is not shown, as it may be a misplaced secret. */
export const UNKNOWN_FIELD = 'unknown field'

export type Path = readonly (string | number)[]

/** Longer names are cut where they are shown: a secret in the place of a name must not be shown whole. */
const SHOWN_CHARACTERS_MAX = 63
const CUT_CHARACTERS = 24

/** `['entities', 'customer', 'key', 1]` as `entities.customer.key[1]`. */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`
    const cut = cutName(part)
    const shown = /^[\w-]+$/.test(cut) ? cut : JSON.stringify(cut)
    return text === '' ? shown : `${text}.${shown}`
  }, '')
}

/** A name from the file as it is shown in a message: in backquotes, without line breaks, cut when it is long. */
export function shownName(name: string): string {
  return `\`${cutName(name.replace(/\p{C}/gu, '�'))}\``
}

function cutName(name: string): string {
  return name.length > SHOWN_CHARACTERS_MAX ? `${name.slice(0, CUT_CHARACTERS)}…` : name
}

/** One line: `file:line:column: path: message; suggestion`. */
export function formatProblem(problem: Problem): string {
  const path = problem.path === '' ? '' : `${problem.path}: `
  const suggestion = problem.suggestion === undefined ? '' : `; ${problem.suggestion}`
  return `${problem.file}:${problem.line}:${problem.column}: ${path}${problem.message}${suggestion}`
}

/** How many problems are written out as text; `--json` has them all. */
export const SHOWN_PROBLEMS_MAX = 100

/** In the order of the file, each once. */
export function sortProblems(problems: readonly Problem[]): readonly Problem[] {
  const unique = new Map(problems.map((problem) => [formatProblem(problem), problem]))
  return [...unique.values()].sort((a, b) => a.line - b.line || a.column - b.column)
}

/** Longer names are not compared: the work grows with the product of the lengths. */
const COMPARED_CHARACTERS_MAX = 64
const COMPARED_NAMES_MAX = 100

/** "did you mean …?" for the known name nearest to `name`; undefined when none is near. */
export function didYouMean(name: string, known: readonly string[]): string | undefined {
  if (name.length > COMPARED_CHARACTERS_MAX) return undefined
  const limit = Math.max(1, Math.floor(name.length / 3))
  let best: { readonly name: string; readonly distance: number } | undefined
  for (const candidate of known.slice(0, COMPARED_NAMES_MAX)) {
    if (Math.abs(candidate.length - name.length) > limit) continue
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance <= limit && (best === undefined || distance < best.distance)) best = { name: candidate, distance }
  }
  return best && `did you mean \`${best.name}\`?`
}

/** Insertions, deletions, replacements and swaps of neighbours between two texts. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1
      let cost = Math.min(row[j - 1]! + 1, last[j]! + 1, last[j - 1]! + change)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1)
      row.push(cost)
    }
    before = last
    last = row
  }
  return last[b.length]!
}
