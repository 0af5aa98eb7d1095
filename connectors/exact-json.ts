/** A number of a JSON text as it was written there: a JavaScript number would round what has more than 15 digits. */
export class ExactNumber {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

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
