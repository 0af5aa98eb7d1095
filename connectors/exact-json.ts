/** A number of a JSON text as it was written there: a JavaScript number would round what has more than 15 digits. */
export class ExactNumber {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** JSON's grammar of a number (RFC 8259, section 6): `NaN` and `Infinity` are none. */
export const JSON_NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/

export type Json = string | boolean | null | ExactNumber | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [name: string]: Json
}

type Revive = (this: unknown, name: string, value: unknown, context: { readonly source?: string }) => unknown

/** Reads JSON without rounding its numbers; undefined where the text is none. */
export function parseExact(text: string): Json | undefined {
  const revive: Revive = (_, value, { source }) => (typeof value === 'number' ? new ExactNumber(source!) : value)
  try {
    return JSON.parse(text, revive as Parameters<typeof JSON.parse>[1]) as Json
  } catch {
    // The caller says what it thinks of an answer that is not JSON: it may be a page of a proxy.
    return undefined
  }
}

export function isObject(json: Json | undefined): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json) && !(json instanceof ExactNumber)
}

/** A JSON object of values that are JSON already. */
export function writeObject(members: Iterable<readonly [name: string, json: string]>): string {
  return `{${Array.from(members, ([name, json]) => `${JSON.stringify(name)}:${json}`).join(',')}}`
}

/** A number with exactly `scale` digits after the point, by its digits alone; undefined when it has more that are not zero. */
export function decimalText(number: string, scale: number): string | undefined {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,4}))?$/.exec(number)
  if (!match) return undefined
  const [, sign, whole = '', part = '', exponent = '0'] = match
  const shift = Number(exponent) - part.length + scale
  const digits = `${whole}${part}`
  const scaled = shift >= 0 ? digits + '0'.repeat(shift) : digits.slice(0, shift)
  if (shift < 0 && /[1-9]/.test(digits.slice(shift))) return undefined
  const plain = scaled.replace(/^0+/, '').padStart(scale + 1, '0')
  const isZero = /^0*$/.test(plain)
  const point = scale === 0 ? plain : `${plain.slice(0, -scale)}.${plain.slice(-scale)}`
  return `${isZero ? '' : sign}${point}`
}
