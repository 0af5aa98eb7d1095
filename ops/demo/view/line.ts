import { clip, displayWidth, safeText } from './width.ts'

/** What a piece of text means; how that looks is decided in one place. */
export type Tone = 'plain' | 'strong' | 'quiet' | 'good' | 'warning' | 'bad' | 'accent'

export interface Piece {
  readonly text: string
  readonly tone: Tone
}

export type Line = readonly Piece[]

/** Select Graphic Rendition codes of ECMA-48, from the sixteen colours that every theme adapts. */
const CODES: Readonly<Record<Tone, string>> = {
  plain: '',
  strong: '1',
  quiet: '2',
  good: '32',
  warning: '33',
  bad: '31',
  accent: '36',
}

export function piece(text: string, tone: Tone = 'plain'): Piece {
  return { text, tone }
}

export function lineWidth(line: Line): number {
  return line.reduce((cells, { text }) => cells + displayWidth(text), 0)
}

/** Pieces at the left and at the right edge; the left gives way when both do not fit. */
export function spread(left: Line, right: Line, columns: number): Line {
  const space = columns - lineWidth(right)
  const clipped = clipLine(left, space - 1)
  return [...clipped, piece(' '.repeat(Math.max(0, space - lineWidth(clipped)))), ...right]
}

export function clipLine(line: Line, columns: number): Line {
  const kept: Piece[] = []
  let left = columns
  for (const { text, tone } of line) {
    const clipped = clip(text, left)
    if (clipped !== '') kept.push({ text: clipped, tone })
    if (clipped !== text) break
    left -= displayWidth(clipped)
  }
  return kept
}

/** The line as it is printed: safe, at most `columns` cells, no spaces at its end, codes only with `colour`. */
export function paintLine(line: Line, columns: number, colour: boolean): string {
  const safe = clipLine(
    line.map(({ text, tone }) => ({ text: safeText(text), tone })),
    columns,
  )
  const pieces = trimEnd(safe)
  if (!colour) return pieces.map(({ text }) => text).join('')
  return pieces.map(({ text, tone }) => (CODES[tone] ? `\x1b[${CODES[tone]}m${text}\x1b[0m` : text)).join('')
}

function trimEnd(line: Line): Line {
  const pieces = [...line]
  while (pieces.length > 0) {
    const last = pieces.pop()!
    const text = last.text.trimEnd()
    if (text !== '') return [...pieces, { text, tone: last.tone }]
  }
  return []
}
