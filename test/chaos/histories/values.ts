import { createHash } from 'node:crypto'

/** Longer texts are recorded by their beginning, length and hash, here and in {@link SQL_BRIEF} alike: histories stay small, and equal stays equal. */
const WHOLE_CHARS_MAX = 80
const SHOWN_CHARS = 20

/** A value's text as histories hold it. */
export function brief(text: string): string {
  if (text.length <= WHOLE_CHARS_MAX) return text
  const chars = [...text]
  if (chars.length <= WHOLE_CHARS_MAX) return text
  const hash = createHash('md5').update(text).digest('hex')
  return `${chars.slice(0, SHOWN_CHARS).join('')}…${chars.length} ${hash}`
}

/** The same in a database, as a function `history_brief(text)`. */
export const SQL_BRIEF = `
  CREATE FUNCTION public.history_brief(value text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN length(value) <= ${WHOLE_CHARS_MAX} THEN value
      ELSE left(value, ${SHOWN_CHARS}) || '…' || length(value) || ' ' || md5(value) END $$;`

/** Settings of a function that turns values into texts, so that no session's own change them. */
export const SQL_TEXT_SETTINGS = `SET timezone = 'UTC' SET datestyle = 'ISO, YMD' SET bytea_output = 'hex' SET extra_float_digits = 1`

/** An SQL expression for the fields of a row as {@link import('./history.ts').Fields}. */
export function sqlFields(row: string, columns: readonly string[]): string {
  return `jsonb_build_object(${columns.map((name) => `'${name}', public.history_brief(${row}."${name}"::text)`).join(', ')})`
}

/** An SQL expression for the record key of a row (schemas/key.ts). */
export function sqlKey(row: string, key: readonly string[]): string {
  const parts = key.map((name) => `${row}."${name}"::text`)
  return parts.length === 1
    ? parts[0]!
    : `'[' || ${parts.map((part) => `to_json(${part})::text`).join(` || ',' || `)} || ']'`
}
