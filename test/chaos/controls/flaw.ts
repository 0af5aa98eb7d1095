/** One piece of the product's source, and what a broken build has in its place. */
export interface Piece {
  /** From the root of the repository. A TypeScript module, or a file that is read as text when the process starts. */
  readonly file: string
  /** Exactly as it is there, and there once only. */
  readonly is: string
  readonly becomes: string
}

/** What a negative control breaks on purpose. The product knows nothing of it. */
export interface Flaw {
  readonly name: string
  readonly pieces: readonly Piece[]
}

/**
 * @returns the text with its piece replaced
 * @throws Error when the piece is not there, or more than once: the product has moved on, and the control would break nothing
 */
export function replacePiece(text: string, { file, is, becomes }: Piece): string {
  const times = text.split(is).length - 1
  if (times !== 1) throw new Error(`${file} has this piece ${times} times, and a control breaks it:\n${is}`)
  return text.replace(is, () => becomes)
}
