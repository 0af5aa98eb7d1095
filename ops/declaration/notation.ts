/** How durations, tables and addresses are written in `tributary.yaml`. Pure text in, values out; undefined where it is not so written. */

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Six digits at most, so that no duration leaves the range of exact numbers. */
export const DURATION = /^([1-9]\d{0,5})(ms|s|m|h|d)$/

/** `500ms`, `30s`, `15m`, `2h`, `7d` in milliseconds. */
export function parseDurationMs(text: string): number | undefined {
  const match = DURATION.exec(text)
  return match ? Number(match[1]) * UNIT_MS[match[2]!]! : undefined
}

/** `5s`, or `1s..30s`: from the first to the most. */
export const DURATION_RANGE = new RegExp(`^${DURATION.source.slice(1, -1)}(?:\\.\\.${DURATION.source.slice(1, -1)})?$`)

/** `1s..30s` as both ends in milliseconds; a single duration is both. */
export function parseDurationRangeMs(text: string): { readonly first: number; readonly most: number } | undefined {
  const [from = '', to = from, ...more] = text.split('..')
  const first = parseDurationMs(from)
  const most = parseDurationMs(to)
  return first === undefined || most === undefined || more.length > 0 || most < first ? undefined : { first, most }
}

const UNIT_BYTES: Readonly<Record<string, number>> = { KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 }

export const SIZE = /^([1-9]\d{0,5})(KB|MB|GB)$/

/** `256KB`, `8MB` in bytes; a KB has 1,024. */
export function parseSizeBytes(text: string): number | undefined {
  const match = SIZE.exec(text)
  return match ? Number(match[1]) * UNIT_BYTES[match[2]!]! : undefined
}

/** The most bytes PostgreSQL keeps of an identifier (NAMEDATALEN - 1); the rest would be cut off silently. */
export const IDENTIFIER_BYTES_MAX = 63

export interface TableName {
  readonly schema: string
  readonly name: string
}

export type NotationFault = { readonly fault: string; readonly suggestion?: string }

/** `customers`, `public.customers` or `"Sales"."Customer"`, as its parts without the quotes. */
function parseIdentifiers(text: string): readonly string[] | NotationFault {
  const parts: string[] = []
  const part = /(?:"((?:[^"]|"")+)"|([^".\s]+))(\.|$)/y
  let dotted = true
  while (part.lastIndex < text.length) {
    const match = part.exec(text)
    if (!match)
      return { fault: 'is not a table name', suggestion: 'write `table`, `schema.table` or `"Schema"."Table"`' }
    dotted = match[3] === '.'
    const bare = match[2]
    if (bare !== undefined && !/^[a-z_][a-z0-9_$]*$/.test(bare))
      return {
        fault: 'has a name that needs quotes (only lower-case letters, digits and _ do without)',
        suggestion: `write \`${quoteBare(text)}\``,
      }
    const name = bare ?? match[1]!.replaceAll('""', '"')
    if (Buffer.byteLength(name) > IDENTIFIER_BYTES_MAX)
      return { fault: `has a name of more than ${IDENTIFIER_BYTES_MAX} bytes, which PostgreSQL would cut off` }
    parts.push(name)
  }
  if (dotted) return { fault: 'is not a table name', suggestion: 'write `table`, `schema.table` or `"Schema"."Table"`' }
  return parts
}

function quoteBare(text: string): string {
  return text.replace(/"(?:[^"]|"")+"|[^".]+/g, (part) =>
    part.startsWith('"') || /^[a-z_][a-z0-9_$]*$/.test(part) ? part : `"${part}"`,
  )
}

/** A source's table; the schema is `public` where none is written. */
export function parseTable(text: string): TableName | NotationFault {
  const parts = parseIdentifiers(text)
  if ('fault' in parts) return parts
  if (parts.length > 2) return { fault: 'has more than a schema and a name', suggestion: 'write `schema.table`' }
  return parts.length === 1 ? { schema: 'public', name: parts[0]! } : { schema: parts[0]!, name: parts[1]! }
}

/** A subscriber's table; its schema is declared once for the subscriber. */
export function parseTarget(text: string): { readonly name: string } | NotationFault {
  const parts = parseIdentifiers(text)
  if ('fault' in parts) return parts
  if (parts.length > 1)
    return { fault: 'must not name a schema', suggestion: "set the subscriber's `schema`, or quote the whole name" }
  return { name: parts[0]! }
}

/** Where a PostgreSQL URL leads, without user, password and options: enough to see that two lead to the same place. */
export function parsePostgresPlace(url: string): { readonly server: string; readonly database: string } | undefined {
  const match = /^postgres(?:ql)?:\/\/([^/?#]*)(?:\/([^?#]*))?/.exec(url)
  if (!match) return undefined
  const authority = match[1]!
  const host = authority.slice(authority.lastIndexOf('@') + 1).toLowerCase()
  return { server: /:\d+$/.test(host) ? host : `${host}:5432`, database: match[2] ?? '' }
}

/** The brokers of a comma-separated text. */
export function splitBrokers(text: string): readonly string[] {
  return text
    .split(',')
    .map((broker) => broker.trim())
    .filter((broker) => broker !== '')
}

/** `host:port`, `[::1]:port`. */
export const BROKER = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/
