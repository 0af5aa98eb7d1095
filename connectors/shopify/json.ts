/** JSON as it is parsed. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [name: string]: Json
}

/** What stands at a path; undefined where there is nothing. */
export function at(value: Json | undefined, ...path: readonly (string | number)[]): Json | undefined {
  let current: Json | undefined = value
  for (const step of path) {
    if (typeof current !== 'object' || current === null) return undefined
    current = Object.hasOwn(current, step) ? (current as Readonly<Record<string | number, Json>>)[step] : undefined
  }
  return current
}

export function textAt(value: Json | undefined, ...path: readonly (string | number)[]): string | undefined {
  const found = at(value, ...path)
  return typeof found === 'string' ? found : undefined
}

export function listAt(value: Json | undefined, ...path: readonly (string | number)[]): readonly Json[] {
  const found = at(value, ...path)
  return Array.isArray(found) ? (found as readonly Json[]) : []
}

/** Sets what stands at a path of an object that is being made. */
export function setAt(object: Record<string, Json>, path: readonly string[], value: Json): void {
  const [step, ...rest] = path as [string, ...string[]]
  if (rest.length === 0) {
    object[step] = value
    return
  }
  const inner: Record<string, Json> = { ...((object[step] ?? {}) as JsonObject) }
  setAt(inner, rest, value)
  object[step] = inner
}
