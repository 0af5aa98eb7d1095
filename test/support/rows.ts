import type postgres from 'postgres'
import type { Flow } from './flow.ts'

/** A table at the source and what it is at the warehouse; `live` is the condition under which a row counts there. */
export interface ComparedTable {
  readonly source: string
  readonly warehouse: string
  readonly key: readonly string[]
  readonly columns: readonly string[]
  readonly live?: string
}

const SHOWN_MAX = 10

/** Rows as text, by key as text: what SQL itself says a value is, so that no driver's idea of a type can hide a difference. */
async function readRows(sql: postgres.Sql, table: string, compared: ComparedTable, live: string) {
  const columns = compared.columns.map((name) => `"${name}"::text`).join(', ')
  const key = compared.key.map((name) => `"${name}"::text`).join(', ')
  const rows = await sql
    .unsafe(`SELECT jsonb_build_array(${key})::text, ${columns} FROM ${table} WHERE ${live}`)
    .values()
  return new Map(rows.map(([name, ...values]) => [name as string, values as (string | null)[]]))
}

/**
 * Compares tables row by row, both ways.
 * @returns a line for each of the first differences; none when the warehouse equals the source
 */
export async function differences(flow: Flow, tables: readonly ComparedTable[]): Promise<string[]> {
  const found: string[] = []
  for (const table of tables) {
    const here = await readRows(flow.source, table.source, table, 'true')
    const there = await readRows(flow.warehouse, table.warehouse, table, table.live ?? 'true')
    for (const [key, values] of here) {
      const copy = there.get(key)
      if (copy === undefined) found.push(`${table.warehouse} ${key}: is missing`)
      else
        for (const [at, value] of values.entries())
          if (value !== copy[at])
            found.push(`${table.warehouse} ${key}.${table.columns[at]}: ${brief(copy[at]!)} instead of ${brief(value)}`)
    }
    for (const key of there.keys()) if (!here.has(key)) found.push(`${table.warehouse} ${key}: is not at the source`)
  }
  return found.length > SHOWN_MAX ? [...found.slice(0, SHOWN_MAX), `and ${found.length - SHOWN_MAX} more`] : found
}

const BRIEF_CHARS = 60

function brief(value: string | null): string {
  if (value === null) return 'null'
  return value.length > BRIEF_CHARS ? `${value.slice(0, BRIEF_CHARS)}… (${value.length})` : value
}
