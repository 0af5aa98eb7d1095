import { BOLD, type Look, paint, WIDTH_MAX, wrap } from '../declaration/report/terminal-text.ts'

/** A text, or one in a style of the terminal. */
export type Cell = string | { readonly text: string; readonly style: string }

const PLAIN: Look = { colour: false }

/** Colour only where a person looks. */
export function lookOf(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): Look {
  return { colour: stream.isTTY === true && env.NO_COLOR === undefined }
}

/** Columns as wide as their widest cell. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[], look: Look = PLAIN): string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => textOf(row[column]!).length)))
  const titles = head.map((text): Cell => ({ text, style: BOLD }))
  return [titles, ...rows].map((row) =>
    row
      .map((cell, column) => {
        const space = column === row.length - 1 ? '' : ' '.repeat(widths[column]! - textOf(cell).length)
        return (typeof cell === 'string' ? cell : paint(look, cell.style, cell.text)) + space
      })
      .join('  ')
      .trimEnd(),
  )
}

function textOf(cell: Cell): string {
  return typeof cell === 'string' ? cell : cell.text
}

/** How long something is, as a person says it. */
export function seconds(count: number | null): string {
  if (count === null) return '?'
  if (count < 120) return `${Math.max(0, Math.round(count))} s`
  if (count < 7200) return `${Math.round(count / 60)} min`
  return `${Math.round(count / 3600)} h`
}

/** A sentence that stands out, within the width of a terminal. */
export function remark(mark: '!' | '·', text: string): string[] {
  const lines = text.split('\n').flatMap((line) => wrap(line, WIDTH_MAX - 2))
  return lines.map((line, index) => `${index === 0 ? mark : ' '} ${line}`)
}
