/** A plot of bars on a page that is light or dark: it brings no background, and its colours change with the reader's. */
export interface Bar {
  readonly label: string
  readonly value: number
  /** The least and the most that was measured. */
  readonly low: number
  readonly high: number
  readonly kind: 'ours' | 'theirs' | 'ceiling'
  /** What is written beside it, where that is more than the value. */
  readonly note?: string
}

export interface Plot {
  readonly title: string
  /** Of the values, as in `changes a second (more is better)`. */
  readonly caption: string
  readonly groups: readonly { readonly label: string; readonly bars: readonly Bar[] }[]
  /** Whether the groups are of different things; otherwise one scale is for all. */
  readonly scaleByGroup?: boolean
  readonly format: (value: number) => string
}

const WIDTH = 820
/** For 40 characters, in the widest of the fonts that a reader may have. */
const LABEL_WIDTH = 310
const VALUE_WIDTH = 90
const BAR = 22
const GAP = 6
const GROUP_HEAD = 26
const TOP = 58
const BOTTOM = 12

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #24292f; }
  .title { font-size: 16px; font-weight: 600; }
  .quiet { fill: #57606a; }
  .ours { fill: #0969da; } .theirs { fill: #bc4c00; } .ceiling { fill: #8c959f; }
  .spread { stroke: #24292f; stroke-width: 1.5; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .quiet { fill: #9198a1; }
    .ours { fill: #4493f8; } .theirs { fill: #db6d28; } .ceiling { fill: #6e7681; }
    .spread { stroke: #e6edf3; }
  }
`

/** Bars from zero on a linear scale, each with the spread of its runs. */
export function drawPlot({ title, caption, groups, format, scaleByGroup = false }: Plot): string {
  const mostOf = (some: Plot['groups']) =>
    Math.max(...some.flatMap(({ bars }) => bars.map(({ value, high }) => Math.max(value, high))), 1e-9)
  const parts: string[] = []
  let y = TOP
  for (const group of groups) {
    const most = mostOf(scaleByGroup ? [group] : groups)
    const scale = (value: number) => (value / most) * (WIDTH - LABEL_WIDTH - VALUE_WIDTH)
    if (group.label !== '') {
      parts.push(text(0, y + 14, group.label, 'quiet'))
      y += GROUP_HEAD
    }
    for (const { label, value, low, high, kind, note } of group.bars) {
      const middle = y + BAR / 2
      parts.push(`<text x="${LABEL_WIDTH - 10}" y="${middle + 4}" text-anchor="end">${escapeXml(label)}</text>`)
      parts.push(
        `<rect class="${kind}" x="${LABEL_WIDTH}" y="${y}" width="${length(scale(value))}" height="${BAR}" rx="2"/>`,
      )
      if (high > low)
        parts.push(
          `<line class="spread" x1="${length(LABEL_WIDTH + scale(low))}" x2="${length(LABEL_WIDTH + scale(high))}" y1="${middle}" y2="${middle}"/>`,
        )
      parts.push(text(length(LABEL_WIDTH + scale(Math.max(value, high)) + 8), middle + 4, note ?? format(value)))
      y += BAR + GAP
    }
    y += GAP
  }
  const height = y + BOTTOM
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escapeXml(title)}">`,
    `<style>${STYLE}</style>`,
    text(0, 18, title, 'title'),
    text(0, 38, caption, 'quiet'),
    ...parts,
    '</svg>',
    '',
  ].join('\n')
}

function text(x: number, y: number, content: string, kind = ''): string {
  return `<text x="${x}" y="${y}"${kind === '' ? '' : ` class="${kind}"`}>${escapeXml(content)}</text>`
}

function length(value: number): number {
  return Math.round(value * 10) / 10
}

function escapeXml(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
