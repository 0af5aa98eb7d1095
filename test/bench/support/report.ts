const NAME_WIDTH = 34

/** Prints figures as aligned lines; what holds further figures is a block of its own. */
export function printFigures(figures: Readonly<Record<string, unknown>>, indent = ''): void {
  for (const [name, value] of Object.entries(figures)) {
    const label = indent + name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
      console.log(label)
      printFigures(value as Record<string, unknown>, `${indent}  `)
    } else console.log(`${label.padEnd(NAME_WIDTH)} ${formatFigure(value)}`)
  }
}

function formatFigure(value: unknown): string {
  if (Array.isArray(value)) return value.map(formatFigure).join(', ')
  return typeof value === 'number' ? value.toLocaleString('en', { maximumFractionDigits: 3 }) : String(value)
}

/** Lines of a table: the first column to the left, the others to the right, with two blanks between them. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  )
}
