import type { Entity } from '../../schemas/entity.ts'
import { TributaryError } from '../../schemas/errors.ts'
import { parseKey } from '../../schemas/key.ts'

/** Where an object is, from the base URL on; or why no path leads to a key. The reason does not hold the key. */
export type RequestPath =
  | { readonly ok: true; readonly path: string }
  | { readonly ok: false; readonly code: 'key-not-addressable'; readonly reason: string }

/** What a path is made from. */
interface PathMapping {
  readonly target: string
  readonly entity: Pick<Entity, 'name' | 'key'>
}

export interface PathTemplate {
  /** The path of an object, percent-encoded. */
  of(key: string): RequestPath
}

/**
 * Reads a mapping's target: `/customers/{key}`, or `/companies/{0}/customers/{1}` with the parts of a composite key. `{key}` is the whole
 * record key, which for a composite one is its JSON array. Without braces, `/{key}` is added: `customers` is `/customers/{key}`.
 * @throws TributaryError `declaration-invalid` naming what is wrong with it
 */
export function readPathTemplate({ target, entity }: PathMapping): PathTemplate {
  const invalid = (reason: string) => new TributaryError('declaration-invalid', `the target ${target} ${reason}`)
  const text = `/${target.replace(/^\//, '')}${target.includes('{') ? '' : '/{key}'}`
  if (/[?#\\\s]|\/\/|\/$/.test(text)) throw invalid('is no path: no `?`, `#`, blanks, `\\` or empty parts')
  const pieces = text.split(/\{([^{}]*)\}/)
  if (pieces.some((piece, at) => at % 2 === 0 && /[{}]/.test(piece))) throw invalid('has a brace without its other')
  const names = pieces.filter((_, at) => at % 2 === 1)
  const parts = entity.key.map((_, at) => String(at))
  const isWhole = names.length === 1 && names[0] === 'key'
  const isSplit = names.length === parts.length && parts.every((part) => names.includes(part))
  if (!isWhole && !isSplit) {
    const forms = parts.length === 1 ? '{key} or {0}' : `{key}, or each of ${parts.map((at) => `{${at}}`).join(' ')}`
    throw invalid(`has to hold ${forms} once: a path for each key of ${entity.name}`)
  }
  if (text.split('/').some(isDots)) throw invalid('has a part that is `.` or `..`')
  return {
    of(key) {
      const values = isWhole ? [key] : parseKey(key, parts.length)
      if (values === undefined) return refused('the key has not as many parts as the entity')
      const path = pieces.map((piece, at) => (at % 2 === 0 ? piece : values[isWhole ? 0 : Number(piece)]!))
      // An empty one is the collection: a DELETE would remove all of it.
      if (values.some((value) => value === '')) return refused('a part of the key is empty')
      if (values.some((value) => !value.isWellFormed())) return refused('the key holds half a surrogate pair')
      if (values.some(leadsElsewhere) || path.join('').split('/').some(isDots))
        return refused('the key holds a part that is `.` or `..`, which leads to another path')
      return {
        ok: true,
        path: pieces.map((piece, at) => (at % 2 === 0 ? piece : encodeURIComponent(path[at]!))).join(''),
      }
    },
  }
}

function refused(reason: string): RequestPath {
  return { ok: false, code: 'key-not-addressable', reason }
}

const isDots = (part: string) => part === '.' || part === '..'

/**
 * Whether a server that decodes once too often, or takes `%2F` for a `/`, would walk away from the object. `.` and `..` alone cannot be sent
 * at all: URL parsers resolve them, `%2e%2e` as well.
 */
function leadsElsewhere(value: string): boolean {
  let plain = value
  // Every round takes two characters away, so it ends.
  while (/%25/.test(plain)) plain = plain.replaceAll('%25', '%')
  plain = plain.replace(/%2e/gi, '.').replace(/%2f|%5c/gi, '/')
  return plain.split(/[/\\]/).some(isDots)
}
