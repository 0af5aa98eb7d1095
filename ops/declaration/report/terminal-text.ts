/** How text is laid out and coloured on a terminal. */

export const WIDTH_MAX = 100
export const INDENT = '  '

export interface Look {
  readonly colour: boolean
}

/** At least one part; words longer than the width stay whole. */
export function wrap(text: string, width: number): readonly string[] {
  const parts: string[] = []
  let part = ''
  for (const word of text.split(' ')) {
    if (part !== '' && part.length + 1 + word.length > width) {
      parts.push(part)
      part = word
    } else part = part === '' ? word : `${part} ${word}`
  }
  return [...parts, part]
}

export const BOLD = '1'
export const DIM = '2'
export const RED = '31'
export const BOLD_RED = '1;31'
export const GREEN = '32'
export const YELLOW = '33'
export const CYAN = '36'

export function paint(look: Look, style: string, text: string): string {
  return look.colour ? `\u001b[${style}m${text}\u001b[0m` : text
}
