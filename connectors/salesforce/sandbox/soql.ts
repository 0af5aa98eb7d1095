/** The queries that this sandbox understands: fields of one object, by the values of one field. */
export interface Query {
  /** A field, or `Relationship.field`. */
  readonly fields: readonly string[]
  readonly object: string
  readonly where: null | { readonly field: string; readonly values: readonly (string | null)[]; readonly not: boolean }
  readonly limit: number | null
}

/** @returns null for what is no such query */
export function parseQuery(text: string): Query | null {
  const match =
    /^\s*select\s+([\w.,\s]+?)\s+from\s+(\w+)(?:\s+where\s+(\w+)\s*(=|!=|in)\s*(.*?))?(?:\s+limit\s+(\d+))?\s*$/is.exec(
      text,
    )
  if (!match) return null
  const [, fields = '', object = '', field, operator = '', given = '', limit] = match
  const values = field === undefined ? [] : literals(operator.toLowerCase() === 'in' ? unwrapped(given) : given)
  if (values === null) return null
  return {
    fields: fields.split(',').map((name) => name.trim()),
    object,
    where: field === undefined ? null : { field, values, not: operator === '!=' },
    limit: limit === undefined ? null : Number(limit),
  }
}

function unwrapped(list: string): string {
  return /^\s*\((.*)\)\s*$/s.exec(list)?.[1] ?? '?'
}

const LITERAL = /\s*(?:(null)|'((?:[^'\\]|\\.)*)')\s*(,|$)/gsy

function literals(text: string): readonly (string | null)[] | null {
  const values: (string | null)[] = []
  LITERAL.lastIndex = 0
  while (true) {
    const match = LITERAL.exec(text)
    if (!match) return null
    values.push(match[1] === undefined ? unescaped(match[2]!) : null)
    if (match[3] === '') return values
  }
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' }

function unescaped(text: string): string {
  return text.replace(/\\u([0-9A-Fa-f]{4})|\\(.)/gs, (_whole, code: string | undefined, plain: string) =>
    code === undefined ? (ESCAPES[plain.toLowerCase()] ?? plain) : String.fromCharCode(Number.parseInt(code, 16)),
  )
}
