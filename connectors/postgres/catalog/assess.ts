import type { TableFacts } from './catalog.ts'

/** What a table's replica identity means for capture, in words that `validate` shows. */
export interface IdentityAssessment {
  /** `full`, `default (id)`, `index (a, b)`, `nothing`; of partitions that differ each. */
  readonly identity: string
  /** Whether deltas of updates name the fields that changed. */
  readonly changedFields: 'known' | 'not known'
  /** Where a large value comes from that an update did not touch. */
  readonly unchangedLargeValues: 'from the log' | 'read from the table'
  /** Whether the log says which row an update or delete is about; without an identity the server refuses both. */
  readonly updatesAndDeletes: 'identified' | 'not identified' | 'refused by the server'
}

const KINDS: Readonly<Record<string, string>> = { f: 'full', d: 'default', i: 'index', n: 'nothing' }

/** @param key the key's columns. Pure. */
export function assessIdentity(facts: Pick<TableFacts, 'identities'>, key: readonly string[]): IdentityAssessment {
  const { identities } = facts
  const full = identities.every(({ kind }) => kind === 'f')
  const silent = identities.some(({ kind, columns }) => kind !== 'f' && columns.length === 0)
  const named = identities.every(({ kind, columns }) => kind === 'f' || key.every((column) => columns.includes(column)))
  const names = identities.map(({ kind, columns }) => {
    const name = KINDS[kind] ?? kind
    if (kind === 'f' || kind === 'n') return name
    return `${name} (${columns.length === 0 ? 'none' : columns.join(', ')})`
  })
  return {
    identity:
      identities.length === 0 ? 'of its partitions, when there are any' : [...new Set(names)].sort().join(' and '),
    changedFields: full ? 'known' : 'not known',
    unchangedLargeValues: full ? 'from the log' : 'read from the table',
    updatesAndDeletes: silent ? 'refused by the server' : named ? 'identified' : 'not identified',
  }
}

/** What a table's shape means for capture where one may expect otherwise, each a sentence. Pure. */
export function assessShape(name: string, facts: Pick<TableFacts, 'kind' | 'heirs'>): readonly string[] {
  const notes: string[] = []
  if (facts.heirs.length > 0)
    notes.push(
      `rows of ${facts.heirs.join(', ')}, which inherit from ${name}, are not captured with it; declare an entity for each that matters`,
    )
  if (facts.kind === 'p')
    notes.push(
      `${name} is partitioned: ATTACH, DETACH, DROP and TRUNCATE of one partition are not in the log; after one that moved rows in or out, ` +
        'take a snapshot of the entity',
    )
  return notes
}
