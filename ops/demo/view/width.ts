/** How text takes up terminal cells. Source: Unicode TR 11 (wide and full-width), in the ranges that business data has. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u
const EMOJI = /\p{Emoji_Presentation}|\ufe0f/u
const ZERO = /^[\p{Mn}\p{Me}\p{Cf}]+$/u
const PLAIN_ASCII = /^[\x20-\x7e]*$/
/** Control characters, and marks that turn the direction of text round: they would let data draw on the screen. */
const UNSAFE = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** The text without anything that could move the cursor or reorder the line. */
export function safeText(text: string): string {
  return PLAIN_ASCII.test(text) ? text : text.replace(UNSAFE, '·')
}

/** The number of terminal cells that the text takes. */
export function displayWidth(text: string): number {
  if (PLAIN_ASCII.test(text)) return text.length
  let cells = 0
  for (const { segment } of graphemes.segment(text)) cells += graphemeWidth(segment)
  return cells
}

/** At most `columns` cells of the text; `…` stands for what was cut off. */
export function clip(text: string, columns: number): string {
  if (columns <= 0) return ''
  if (displayWidth(text) <= columns) return text
  let cells = 0
  let kept = ''
  for (const { segment } of graphemes.segment(text)) {
    const width = graphemeWidth(segment)
    if (cells + width > columns - 1) break
    cells += width
    kept += segment
  }
  return `${kept}…`
}

/** Exactly `columns` cells, clipped or filled with spaces. */
export function cell(text: string, columns: number, align: 'left' | 'right' = 'left'): string {
  const clipped = clip(text, columns)
  const space = ' '.repeat(Math.max(0, columns - displayWidth(clipped)))
  return align === 'left' ? clipped + space : space + clipped
}

function graphemeWidth(grapheme: string): number {
  if (ZERO.test(grapheme)) return 0
  return WIDE.test(grapheme) || EMOJI.test(grapheme) ? 2 : 1
}
