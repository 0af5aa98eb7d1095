/**
 * YAML does not allow `{ url: ${URL} }`: inside `{ }` and `[ ]` a plain scalar ends at a brace. As that is the natural way to write it,
 * each reference is covered with private-use characters of the same length before the file is parsed, and uncovered in each scalar after.
 * Positions stay as they are, and nothing of the environment is in the text yet.
 */

const COVER = 0xe000
const COVERED = /[\uE000-\uE07F]/g
/** A default with quotes, backslashes or characters beyond ASCII keeps to the rules of YAML. */
const REFERENCE = /\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[ !#-&(-[\]-z|~]*)?\}/g

/** Undefined when the text already holds such characters. */
export function coverReferences(text: string): string | undefined {
  if (text.search(COVERED) >= 0) return undefined
  return text.replace(REFERENCE, (reference) => shift(reference, COVER))
}

export function uncoverReferences(text: string): string {
  return text.replace(COVERED, (character) => shift(character, -COVER))
}

function shift(text: string, by: number): string {
  return String.fromCharCode(...Array.from(text, (character) => character.charCodeAt(0) + by))
}
