import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, type Scalar } from 'yaml'
import { formatPath, type Path, type Problem, shownName } from '../problem.ts'
import { type Environment, EXPANDED_CHARACTERS_MAX, expand, hasReference, type ReadSecret } from './environment.ts'
import { coverReferences, uncoverReferences } from './references.ts'
import { syntaxProblems } from './syntax.ts'

/** Where a value stands and how it was written. Offsets count UTF-16 units of the file. */
interface Spot {
  readonly keyOffset: number | undefined
  readonly offset: number
  /** How the value may be shown, where it came from the environment. */
  readonly shown?: string
  /** Its reference has no value, which was reported: nothing else is said about it. */
  readonly unresolved?: boolean
}

/** A YAML file as plain values, every one with its place. */
export interface Located {
  /** Undefined when the file cannot be read as YAML at all; `problems` says why. */
  readonly value: unknown
  readonly problems: readonly Problem[]
  spot(path: Path): Spot | undefined
  /** A problem at a path; at the nearest parent where the path does not exist. */
  problem(path: Path, message: string, suggestion?: string, at?: 'key' | 'value'): Problem
}

export const FILE_BYTES_MAX = 1_048_576
const ALIASES_MAX = 100
const VALUES_MAX = 100_000
const DEPTH_MAX = 32

/**
 * Parses YAML into plain values (objects without a prototype) and expands references in its scalars, never in its raw text.
 * Bounded in size, depth, aliases and values. Throws nothing.
 */
export function locate(text: string, file: string, env: Environment, readSecret: ReadSecret): Located {
  const lines = new LineCounter()
  const problems: Problem[] = []
  const spots = new Map<string, Spot>()

  function at(offset: number, path: string, message: string, suggestion?: string): Problem {
    const place = lines.linePos(offset)
    return {
      file,
      line: Math.max(1, place.line),
      column: Math.max(1, place.col),
      path,
      message,
      ...(suggestion !== undefined && { suggestion }),
    }
  }

  const located = (value: unknown): Located => ({
    value,
    problems,
    spot: (path) => spots.get(spotKey(path)),
    problem(path, message, suggestion, where = 'value') {
      for (let length = path.length; length >= 0; length--) {
        const spot = spots.get(spotKey(path.slice(0, length)))
        if (!spot) continue
        const wanted = length === path.length && where === 'value' ? spot.offset : (spot.keyOffset ?? spot.offset)
        return at(wanted, formatPath(path), message, suggestion)
      }
      return at(0, formatPath(path), message, suggestion)
    },
  })

  if (Buffer.byteLength(text) > FILE_BYTES_MAX) {
    problems.push(at(0, '', 'the file is larger than 1 MiB', 'a declaration is far smaller; is this the right file?'))
    return located(undefined)
  }
  const covered = coverReferences(text)
  if (covered === undefined) {
    problems.push(at(0, '', 'the file holds private-use characters (U+E000 to U+E07F)', 'remove them'))
    return located(undefined)
  }
  const document = parseDocument(covered, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    schema: 'core',
  })
  const syntax = syntaxProblems(document, at)
  if (syntax.length > 0) {
    problems.push(...syntax)
    return located(undefined)
  }

  const anchors = new Map<string, Node>()
  const open = new Set<Node>()
  let aliases = 0
  let values = 0
  let characters = 0
  let exhausted = false

  /** Tells of a passed limit once; the walk then ends as fast as it can. */
  function exhaust(offset: number, path: Path, message: string): undefined {
    if (!exhausted) problems.push(at(offset, formatPath(path), message))
    exhausted = true
  }

  function scalar(node: Scalar, path: Path, keyOffset: number | undefined): unknown {
    const offset = node.range?.[0] ?? 0
    const name = formatPath(path)
    if (typeof node.value !== 'string') {
      spots.set(spotKey(path), {
        keyOffset,
        offset: node.source === '' && keyOffset !== undefined ? keyOffset : offset,
      })
      return node.value
    }
    const written = uncoverReferences(node.value)
    if (!hasReference(written)) {
      spots.set(spotKey(path), { keyOffset, offset })
      return written
    }
    const { text: expanded, shown, faults } = expand(written, env, readSecret)
    spots.set(spotKey(path), { keyOffset, offset, shown, unresolved: faults.length > 0 })
    const source = text.slice(offset, node.range?.[1] ?? offset)
    for (const { reference, message, suggestion } of faults)
      problems.push(at(offset + Math.max(0, source.indexOf(reference)), name, message, suggestion))
    characters += expanded.length
    if (characters > EXPANDED_CHARACTERS_MAX)
      return exhaust(offset, path, 'the expanded references are longer than 1 MiB')
    return expanded
  }

  function map(pairs: readonly Pair[], path: Path): Record<string, unknown> {
    const result: Record<string, unknown> = Object.create(null)
    const seen = new Map<string, number>()
    for (const { key, value } of pairs as readonly Pair<Node, Node | null>[]) {
      if (exhausted) break
      const keyOffset = key?.range?.[0] ?? 0
      const name = keyName(key)
      if (name === undefined || name === '__proto__') {
        problems.push(
          at(keyOffset, formatPath(path), 'a key here is not a name', 'write a plain name before the colon'),
        )
        continue
      }
      const inner = [...path, name]
      if (name === '<<') {
        const suggestion = 'repeat the lines, or use an alias for one value'
        problems.push(at(keyOffset, formatPath(path), 'merge keys (`<<`) are not supported', suggestion))
        continue
      }
      const first = seen.get(name)
      if (first !== undefined) {
        const line = lines.linePos(first).line
        problems.push(
          at(
            keyOffset,
            formatPath(inner),
            `${shownName(name)} stands here twice`,
            `the first is on line ${line}; keep one`,
          ),
        )
        continue
      }
      seen.set(name, keyOffset)
      result[name] = walk(value, inner, keyOffset)
    }
    return result
  }

  function walk(node: Node | null, path: Path, keyOffset: number | undefined): unknown {
    const offset = node?.range?.[0] ?? keyOffset ?? 0
    if (exhausted) return undefined
    if (++values > VALUES_MAX) return exhaust(offset, path, `the file has more than ${VALUES_MAX} values`)
    if (path.length > DEPTH_MAX) return exhaust(offset, path, `the file is nested deeper than ${DEPTH_MAX} levels`)
    if (node === null) {
      spots.set(spotKey(path), { keyOffset, offset })
      return null
    }
    if (isAlias(node)) {
      const target = anchors.get(node.source)
      if (++aliases > ALIASES_MAX) return exhaust(offset, path, `the file has more than ${ALIASES_MAX} aliases`)
      if (target === undefined || open.has(target)) {
        // The name is not repeated: a password that begins with * looks like an alias.
        const message = target ? 'an alias stands inside its own anchor' : 'the alias has no anchor before it'
        const suggestion = target ? undefined : 'put a text that begins with * in quotes'
        spots.set(spotKey(path), { keyOffset, offset, unresolved: true })
        problems.push(at(offset, formatPath(path), message, suggestion))
        return null
      }
      return walk(target, path, keyOffset)
    }
    if ('anchor' in node && node.anchor) anchors.set(node.anchor, node)
    if (isScalar(node)) return scalar(node, path, keyOffset)
    spots.set(spotKey(path), { keyOffset, offset })
    open.add(node)
    const value = isMap(node)
      ? map(node.items, path)
      : isSeq(node)
        ? node.items.map((item, index) => walk(item as Node | null, [...path, index], undefined))
        : null
    open.delete(node)
    return value
  }

  const value = walk(document.contents, [], undefined)
  return located(exhausted ? undefined : (value ?? null))
}

function keyName(key: Node | null): string | undefined {
  if (!isScalar(key)) return undefined
  if (typeof key.value === 'string') return uncoverReferences(key.value)
  return key.value === null ? undefined : (key.source ?? String(key.value))
}

function spotKey(path: Path): string {
  return JSON.stringify(path)
}
