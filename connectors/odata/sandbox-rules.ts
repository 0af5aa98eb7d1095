import { randomBytes } from 'node:crypto'
import type { SandboxAnswer, SandboxRequest } from '../http/sandbox-server.ts'

// What the sandboxes of OData systems share. They read and judge requests on their own: nothing here is what the destinations use.

/** A number as it was written; `JSON.stringify` writes it so again. */
export interface RawNumber {
  readonly rawJSON: string
}
export type Stored = string | boolean | null | RawNumber | Stored[] | { [name: string]: Stored }
export type StoredRow = { [name: string]: Stored }

const { rawJSON } = JSON as unknown as { rawJSON(text: string): RawNumber }

export const rawNumber = (text: string): RawNumber => rawJSON(text)

export function isNumber(value: Stored | undefined): value is RawNumber {
  return typeof value === 'object' && value !== null && 'rawJSON' in value
}

/** Reads a JSON object and keeps every digit; null where there is none. */
export function readBody(body: Buffer): StoredRow | null {
  const keepDigits = (_: string, value: unknown, { source }: { source: string }) =>
    typeof value === 'number' ? rawJSON(source) : value
  try {
    const value: unknown = JSON.parse(body.toString('utf8'), keepDigits as Parameters<typeof JSON.parse>[1])
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as StoredRow) : null
  } catch {
    return null
  }
}

/** A literal of a key or a filter (OData-ABNF, `primitiveLiteral`). */
export interface Literal {
  readonly quoted: boolean
  readonly text: string
}

const LITERAL = String.raw`'(?:[^']|'')*'|[^\s,'()]+`

/** `(a='x',b=1)` or `('x')`, decoded; null where it is no predicate. A part without a name has the name ''. */
export function readPredicate(text: string): ReadonlyMap<string, Literal> | null {
  const inner = /^\((.*)\)$/s.exec(text)?.[1]
  if (inner === undefined) return null
  const parts = new Map<string, Literal>()
  const part = new RegExp(String.raw`^(?:([A-Za-z_]\w*)=)?(${LITERAL})(?:,|$)`)
  for (let rest = inner; rest !== ''; ) {
    const match = part.exec(rest)
    if (!match) return null
    parts.set(match[1] ?? '', readLiteral(match[2]!))
    rest = rest.slice(match[0].length)
  }
  return parts.size === 0 ? null : parts
}

/** `a eq 'x' and b eq 1`; null for any other filter. */
export function readFilter(text: string): ReadonlyMap<string, Literal> | null {
  const parts = new Map<string, Literal>()
  const part = new RegExp(String.raw`^([A-Za-z_]\w*) eq (${LITERAL})(?: and |$)`)
  for (let rest = text; rest !== ''; ) {
    const match = part.exec(rest)
    if (!match) return null
    parts.set(match[1]!, readLiteral(match[2]!))
    rest = rest.slice(match[0].length)
  }
  return parts
}

function readLiteral(text: string): Literal {
  return text.startsWith("'")
    ? { quoted: true, text: text.slice(1, -1).replaceAll("''", "'") }
    : { quoted: false, text }
}

/** The last segment of a path under a root, and its predicate: `accounts(erp_id='1')`. Decoded only after it was taken apart. */
export function readSegment(path: string): { readonly set: string; readonly predicate: string } | null {
  const match = /^([A-Za-z_]\w*)(\(.*\))?$/s.exec(path)
  if (!match) return null
  try {
    return { set: match[1]!, predicate: decodeURIComponent(match[2] ?? '') }
  } catch {
    return null
  }
}

export type EdmType =
  | 'Edm.String'
  | 'Edm.Int32'
  | 'Edm.Int64'
  | 'Edm.Decimal'
  | 'Edm.Double'
  | 'Edm.Boolean'
  | 'Edm.DateTimeOffset'
  | 'Edm.Date'
  | 'Edm.TimeOfDay'
  | 'Edm.Guid'
  | 'Edm.Binary'

const GUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i

/** Whether a JSON value is one of a type (OData-JSON 4.0, section 7.1). Null is judged elsewhere. */
export function isOfType(type: EdmType, value: Stored): boolean {
  switch (type) {
    case 'Edm.String':
      return typeof value === 'string'
    case 'Edm.Boolean':
      return typeof value === 'boolean'
    case 'Edm.Int32':
      return isNumber(value) && /^-?\d{1,10}$/.test(value.rawJSON) && Math.abs(Number(value.rawJSON)) <= 2 ** 31
    case 'Edm.Int64':
      return isNumber(value) && /^-?\d{1,19}$/.test(value.rawJSON)
    case 'Edm.Decimal':
    case 'Edm.Double':
      return isNumber(value)
    case 'Edm.Date':
      return typeof value === 'string' && /^\d{4}-\d\d-\d\d$/.test(value)
    case 'Edm.TimeOfDay':
      return typeof value === 'string' && /^\d\d:\d\d(:\d\d(\.\d{1,12})?)?$/.test(value)
    case 'Edm.DateTimeOffset':
      return (
        typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,12})?)?(Z|[+-]\d\d:\d\d)$/.test(value)
      )
    case 'Edm.Guid':
      return typeof value === 'string' && GUID.test(value)
    case 'Edm.Binary':
      return typeof value === 'string' && /^[\w+/=-]*$/.test(value)
  }
}

/** Whether a literal in an address is one of a type: texts and only texts are quoted. */
export function isLiteralOf(type: EdmType, { quoted, text }: Literal): boolean {
  if (type === 'Edm.String') return quoted
  if (quoted) return false
  if (type === 'Edm.Guid') return GUID.test(text)
  return type === 'Edm.Date' ? /^\d{4}-\d\d-\d\d$/.test(text) : /^-?\d+(\.\d+)?$/.test(text)
}

/** The text that a stored value is compared by. */
export function textOf(value: Stored | undefined): string {
  if (isNumber(value)) return value.rawJSON
  return typeof value === 'string' || typeof value === 'boolean' ? String(value) : ''
}

export const SANDBOX_CLIENT = { clientId: 'tributary', clientSecret: 'sandbox-secret' } as const

/** Entra ID's token endpoint for one resource (Microsoft identity platform, "client credentials flow"), and who may come in. */
export function createTokenDesk(scopes: readonly string[] | (() => readonly string[])) {
  let good = new Set<string>()
  const expected = () => (typeof scopes === 'function' ? scopes() : scopes)
  return {
    isToken: ({ path }: SandboxRequest) => path.endsWith('/oauth2/v2.0/token'),
    give(request: SandboxRequest): SandboxAnswer {
      const form = new URLSearchParams(request.body.toString('utf8'))
      const refuse = (status: number, error: string) => ({ status, body: { error, error_description: 'AADSTS…' } })
      if (form.get('grant_type') !== 'client_credentials') return refuse(400, 'unsupported_grant_type')
      if (form.get('client_id') !== SANDBOX_CLIENT.clientId) return refuse(400, 'unauthorized_client')
      if (form.get('client_secret') !== SANDBOX_CLIENT.clientSecret) return refuse(401, 'invalid_client')
      if (!expected().includes(form.get('scope') ?? '')) return refuse(400, 'invalid_scope')
      const token = randomBytes(24).toString('base64url')
      good.add(token)
      return { status: 200, body: { token_type: 'Bearer', expires_in: 3599, access_token: token } }
    },
    /** The answer for a request that brings no good token; null for one that does. */
    refuse({ headers }: SandboxRequest): SandboxAnswer | null {
      const token = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1]
      return token !== undefined && good.has(token)
        ? null
        : { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }
    },
    expire() {
      good = new Set()
    },
  }
}

export function odataError(status: number, code: string, message: string): SandboxAnswer {
  return { status, headers: { 'odata-version': '4.0' }, body: { error: { code, message } } }
}
