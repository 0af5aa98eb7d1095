import type { Json, Panel } from './panel.ts'

/** Panels under one heading. */
export interface Row {
  readonly title: string
  readonly panels: readonly Panel[]
}

const COLUMNS = 24

/** Places panels from left to right, in lines as high as their highest, with a heading above each row. Ids count from 1. */
export function placePanels(rows: readonly Row[]): readonly Json[] {
  const placed: Json[] = []
  let y = 0
  for (const { title, panels } of rows) {
    const gridPos = { h: 1, w: COLUMNS, x: 0, y }
    placed.push({ id: placed.length + 1, type: 'row', title, collapsed: false, gridPos, panels: [] })
    y += 1
    let x = 0
    let lineHeight = 0
    for (const { width, height, json } of panels) {
      if (x + width > COLUMNS) {
        y += lineHeight
        x = 0
        lineHeight = 0
      }
      placed.push({ id: placed.length + 1, ...json, gridPos: { h: height, w: width, x, y } })
      x += width
      lineHeight = Math.max(lineHeight, height)
    }
    y += lineHeight
  }
  return placed
}
