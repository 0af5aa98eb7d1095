import { isMap, isNode, isScalar, isSeq, LineCounter, type Pair, parseDocument } from 'yaml'
import { coverReferences, uncoverReferences } from './references.ts'

/** An entity as it is written, as far as it can be read without its environment. */
export interface WrittenEntity {
  readonly name: string
  readonly key: readonly string[]
  readonly fields: readonly { readonly name: string; readonly personal: boolean }[]
}

export interface WrittenPipeline {
  readonly entities: readonly WrittenEntity[]
  readonly subscribers: readonly string[]
}

/** What a declaration names, without expanding its references; undefined for what is no YAML mapping. */
export function readPipeline(text: string): WrittenPipeline | undefined {
  const covered = coverReferences(text)
  if (covered === undefined) return undefined
  const document = parseDocument(covered, { schema: 'core', prettyErrors: false })
  if (document.errors.length > 0 || !isMap(document.contents)) return undefined
  const root = document.toJS({ maxAliasCount: 100 }) as Readonly<Record<string, unknown>>
  const entities = Object.entries(mapping(root.entities)).map(([name, value]) => {
    const { key, fields } = mapping(value)
    const parts: unknown[] = Array.isArray(key) ? key : [key]
    return {
      name: uncoverReferences(name),
      key: parts.filter((part) => typeof part === 'string'),
      fields: Object.entries(mapping(fields)).map(([field, form]) => ({
        name: field,
        personal: mapping(form).personal === true,
      })),
    }
  })
  return { entities, subscribers: Object.keys(mapping(root.subscribers)) }
}

function mapping(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

/** A declaration with one subscriber more, and the line it begins on; undefined where there is no place for it that can be found. */
export type Inserted = { readonly text: string; readonly line: number } | undefined

/**
 * Puts a subscriber behind the others, and changes nothing else: comments, blank lines and quotes stay byte for byte.
 * @param block the lines of the subscriber, its name first, without indentation of their own
 */
export function insertSubscriber(text: string, block: readonly string[]): Inserted {
  const covered = coverReferences(text)
  if (covered === undefined) return undefined
  const lines = new LineCounter()
  const document = parseDocument(covered, { lineCounter: lines, schema: 'core', prettyErrors: false })
  if (document.errors.length > 0 || !isMap(document.contents)) return undefined
  const pair = (document.contents.items as Pair[]).find(({ key }) => isScalar(key) && key.value === 'subscribers')
  if (pair === undefined) return spliced(text, text.length, ['', 'subscribers:', ...indented(block, 2)], 2)
  const { value, key } = pair
  if (isScalar(value) && value.value === null && isScalar(key)) {
    const end = lineEnd(text, key.range?.[1] ?? 0)
    return spliced(text, end, indented(block, 2), 0)
  }
  if (!isMap(value) || !value.range) return undefined
  const [start, end] = value.range
  if (value.flow) {
    if (value.items.length > 0) return undefined
    const before = text.slice(0, start).replace(/[ \t]+$/, '')
    return spliced(before + text.slice(end), before.length, indented(block, 2), 0)
  }
  const columns = lines.linePos(start).col - 1
  return spliced(text, behind(text, contentEnd(value), columns), indented(block, columns), 1)
}

/** @param blank how many of the inserted lines, or of blank ones put before them, come before the subscriber */
function spliced(text: string, at: number, block: readonly string[], blank: number): Inserted {
  const isOwnLine = at === 0 || text[at - 1] === '\n'
  const before = text.slice(0, at) + (isOwnLine ? '' : '\n')
  const spacer = blank === 1 ? '\n' : ''
  const rest = text.slice(at).replace(/^\n/, isOwnLine ? '\n' : '')
  return {
    text: `${before}${spacer}${block.join('\n')}\n${rest}`,
    line: before.split('\n').length + blank,
  }
}

function indented(block: readonly string[], columns: number): readonly string[] {
  return block.map((line) => (line === '' ? line : ' '.repeat(columns) + line))
}

function lineEnd(text: string, from: number): number {
  const at = text.indexOf('\n', from)
  return at < 0 ? text.length : at
}

/** Where the last thing of a node ends; the parser counts the comments and blank lines below to the node itself. */
function contentEnd(node: unknown): number {
  if (isMap(node) && !node.flow && node.items.length > 0) {
    const { key, value } = node.items.at(-1) as Pair
    return Math.max(contentEnd(key), contentEnd(value))
  }
  if (isSeq(node) && !node.flow && node.items.length > 0) return contentEnd(node.items.at(-1))
  return isNode(node) ? (node.range?.[1] ?? 0) : 0
}

/** Behind the last subscriber: its last line, and the comments below that belong to it by their indentation. */
function behind(text: string, end: number, columns: number): number {
  // A block of text ends behind its line break.
  let at = text[end - 1] === '\n' ? end - 1 : lineEnd(text, end)
  for (;;) {
    const next = /^\n(?:[ \t]*\n)*([ \t]+)#[^\n]*/.exec(text.slice(at))
    if (next === null || next[1]!.length <= columns) return at
    at += next[0].length
  }
}
