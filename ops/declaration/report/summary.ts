import type { Declaration } from '../declaration.ts'
import { BOLD, BOLD_RED, GREEN, INDENT, type Look, paint, WIDTH_MAX, wrap } from './terminal-text.ts'

/** What a declaration holds, without its secrets: the `summary` of `--json`. */
export interface Summary {
  readonly name: string
  readonly sources: readonly {
    readonly name: string
    readonly type: string
    readonly slot: string
    readonly entities: number
  }[]
  readonly entities: readonly {
    readonly name: string
    readonly source: string
    readonly key: readonly string[]
    readonly fields: number
    readonly class: string
    readonly owner: string
    readonly freshnessSeconds: number
  }[]
  readonly subscribers: readonly {
    readonly name: string
    readonly type: string
    readonly entities: readonly string[]
  }[]
}

export function summarise(declaration: Declaration): Summary {
  const entities = [...declaration.entities.values()]
  return {
    name: declaration.name,
    sources: [...declaration.sources.values()].map(({ name, type, slot }) => ({
      name,
      type,
      slot,
      entities: entities.filter((entity) => entity.source === name).length,
    })),
    entities: entities.map(({ name, source, key, fields, class: entityClass, owner, freshnessSeconds }) => ({
      name,
      source,
      key,
      fields: fields.length,
      class: entityClass,
      owner,
      freshnessSeconds,
    })),
    subscribers: [...declaration.subscribers.values()].map(({ name, type, mappings }) => ({
      name,
      type,
      entities: mappings.map((mapping) => mapping.entity.name),
    })),
  }
}

/** What was found to be right, and what to do next. */
export function formatSummary(summary: Summary, file: string, look: Look): string {
  const title = (text: string) => paint(look, BOLD, text)
  const sections: readonly (readonly [string, readonly (readonly string[])[]])[] = [
    [
      'sources',
      summary.sources.map((source) => [source.name, source.type, counted(source.entities), `slot ${source.slot}`]),
    ],
    [
      'entities',
      summary.entities.map((entity) => [
        entity.name,
        `${entity.fields} fields`,
        entity.class,
        `fresh within ${formatSeconds(entity.freshnessSeconds)}`,
        `owner ${entity.owner}`,
        `key ${entity.key.join(', ')}`,
      ]),
    ],
    [
      'subscribers',
      summary.subscribers.map((subscriber) => [subscriber.name, subscriber.type, subscriber.entities.join(', ')]),
    ],
  ]
  const body = sections.flatMap(([name, rows]) => [
    '',
    title(name),
    ...(rows.length > 0 ? align(rows) : [`${INDENT}none yet`]),
  ])
  const head = `${paint(look, GREEN, '✓')} ${file} is valid: pipeline ${title(summary.name)}`
  return `${[head, ...body].join('\n')}\n`
}

/** What to do after a valid declaration, with findings at the sources and at the subscribers. */
export function formatNext(atSources: number, atSubscribers: number, look: Look): string {
  const provision = paint(look, BOLD, 'tributary provision')
  const findings = atSources + atSubscribers
  if (findings === 0) return `Next: ${provision} makes the topics, schemas and tables it needs.\n`
  const count = findings === 1 ? '1 finding' : `${findings} findings`
  const where = [...(atSources > 0 ? ['the sources'] : []), ...(atSubscribers > 0 ? ['the subscribers'] : [])]
  const text = `${count} at ${where.join(' and ')}. Set them right there, or change the declaration; then tributary provision.`
  return `${wrap(text, WIDTH_MAX).join('\n')}\n`
    .replace(count, () => paint(look, BOLD_RED, count))
    .replace('tributary provision', () => provision)
}

function counted(entities: number): string {
  return entities === 1 ? '1 entity' : `${entities} entities`
}

/** Rows with their columns under each other; what does not fit in the width goes on below the last column. */
function align(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows.flatMap((row) => {
    const last = row.length - 1
    const start =
      INDENT +
      row
        .slice(0, last)
        .map((cell, column) => cell.padEnd(widths[column]! + 2))
        .join('')
    const parts = wrap(row[last]!, Math.max(20, WIDTH_MAX - start.length))
    return parts.map((part, index) => (index === 0 ? start : ' '.repeat(start.length)) + part)
  })
}

function formatSeconds(seconds: number): string {
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
  ] as const)
    if (seconds >= size && seconds % size === 0) return `${seconds / size}${unit}`
  return seconds >= 1 ? `${seconds}s` : `${seconds * 1000}ms`
}
