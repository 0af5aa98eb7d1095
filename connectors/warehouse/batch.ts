import { parseKey } from '../../schemas/key.ts'
import { versionBytes } from '../../schemas/version.ts'
import type { Outcome, Patch, Upsert } from '../destination.ts'
import { arrayLiteral, literal, textLiteral } from './literals.ts'
import type { StatementTexts } from './statement-texts.ts'
import * as sql from './statements.ts'
import type { Table } from './tables.ts'

/** One statement of a transaction, with its parameters as text. */
export interface Statement {
  readonly text: string
  readonly parameters: readonly string[]
  /** Whether the server keeps it prepared under a name; only texts that are bounded in number may be. */
  readonly prepared: boolean
  /** Whether the first column of its answer is the keys that it took effect on. */
  readonly answersKeys: boolean
}

/** What to send for a batch, in order, and what is already answered without asking the server. */
export interface BatchPlan {
  readonly statements: readonly Statement[]
  readonly rejected: ReadonlyMap<number, Outcome>
}

/** A patch as text: `values` by column number of the table, or by place in the key for a delete that looks at its parts. */
interface Row {
  readonly key: string
  readonly version: string
  readonly values: ReadonlyMap<number, string | null>
}

/** Partial patches with the same columns get a statement of their own from this many on; the others share the masked one. */
const OWN_STATEMENT_ROWS_MIN = 8
/** The most statements of their own that the partial patches of one batch get. */
const PARTIAL_STATEMENTS_MAX = 16

/** Decides which statements carry out a batch of patches of one table; at most one patch a key. Pure but for the cache of texts. */
export function planBatch(table: Table, texts: StatementTexts, patches: readonly Patch[]): BatchPlan {
  const rejected = new Map<number, Outcome>()
  const full: Row[] = []
  const partial: Row[] = []
  const deletes: Row[] = []
  for (const [index, patch] of patches.entries()) {
    const row = rowOf(table, patch)
    if ('kind' in row) rejected.set(index, row)
    else if (patch.kind === 'delete') deletes.push(row)
    else (patch.full ? full : partial).push(row)
  }
  return {
    statements: [
      ...lock(table, full.length > 0, deletes.length > 0),
      ...fullStatements(table, texts, full),
      ...partialStatements(table, texts, partial),
      ...deleteStatements(table, deletes),
    ],
    rejected,
  }
}

/** The statement that tells why patches did not take effect, or undefined when their kinds alone tell. */
export function planLookUp(
  table: Table,
  patches: readonly Patch[],
  plan: BatchPlan,
  applied: ReadonlySet<string>,
): Statement | undefined {
  const keys = patches
    .filter((patch, index) => !plan.rejected.has(index) && !applied.has(patch.key) && needsLookUp(table, patch))
    .map(({ key }) => key)
  if (keys.length === 0) return undefined
  return { text: sql.lookUp(table), parameters: [arrayLiteral(keys)], prepared: true, answersKeys: false }
}

/** What the look-up said of a key; versions in hex. */
export interface Present {
  readonly version: string | null
  readonly markedDeleted: boolean
  readonly guardVersion: string | null
}

/** The outcome of every patch, in order, from the keys that statements answered and the look-up of the others. */
export function batchOutcomes(
  table: Table,
  patches: readonly Patch[],
  plan: BatchPlan,
  applied: ReadonlySet<string>,
  present: ReadonlyMap<string, Present>,
): readonly Outcome[] {
  return patches.map((patch, index) => {
    const rejection = plan.rejected.get(index)
    if (rejection !== undefined) return rejection
    if (applied.has(patch.key)) return { kind: 'applied' }
    // A full upsert or a delete that keeps a record of itself takes effect unless something newer is there.
    if (!needsLookUp(table, patch)) return { kind: 'newer' }
    return withoutEffect(patch, present.get(patch.key))
  })
}

function needsLookUp(table: Table, patch: Patch): boolean {
  return patch.kind === 'upsert' ? !patch.full : table.deletion === 'ignore'
}

/** Why a partial patch, or a delete that is to be ignored, found no row to update. */
function withoutEffect(patch: Patch, present: Present | undefined): Outcome {
  const mine = hexVersion(patch)
  const missing: Outcome = patch.kind === 'delete' ? { kind: 'applied' } : { kind: 'absent' }
  if (present === undefined || present.version === null)
    return present?.guardVersion && present.guardVersion > mine ? { kind: 'newer' } : missing
  if (present.version > mine) return { kind: 'newer' }
  // An older live row can only have appeared between the two statements.
  return present.markedDeleted ? missing : { kind: 'conflict' }
}

/** Hex of equal length sorts as its bytes do. */
function hexVersion(patch: Patch): string {
  return versionBytes(patch.version).toString('hex')
}

/** A patch as the text that it is sent as, or why it can never be sent. */
export function rowOf(table: Table, patch: Patch): Row | Outcome {
  const key = textLiteral(patch.key)
  if (!key.ok) return { kind: 'rejected', code: key.code, reason: `the record key: ${key.reason}` }
  const values = patch.kind === 'upsert' ? valuesOf(table, patch) : keyParts(table, patch.key)
  return 'kind' in values ? values : { key: patch.key, version: hexVersion(patch), values }
}

function valuesOf(table: Table, patch: Upsert): Map<number, string | null> | Outcome {
  const values = new Map<number, string | null>()
  let known = 0
  for (const [at, { name, type }] of table.columns.entries()) {
    if (!Object.hasOwn(patch.fields, name)) continue
    known++
    const written = literal(type, patch.fields[name]!)
    if (!written.ok)
      return { kind: 'rejected', code: written.code, reason: `column ${table.target}.${name}: ${written.reason}` }
    values.set(at, written.text)
  }
  if (known < Object.keys(patch.fields).length)
    return {
      kind: 'rejected',
      code: 'field-unmapped',
      reason: `the patch has a field that ${table.target} does not map`,
    }
  return values
}

/** The parts of a deleted one's key, where what becomes of it depends on who refers to it. */
function keyParts({ deletion, target }: Table, key: string): Map<number, string> | Outcome {
  if (typeof deletion === 'string') return new Map()
  const parts = parseKey(key, deletion.condition.keyTypes.length)
  if (parts !== undefined) return new Map(parts.entries())
  return {
    kind: 'rejected',
    code: 'key-unreadable',
    reason: `the record key has not as many parts as the key of ${target}`,
  }
}

function lock(table: Table, makesRows: boolean, deletes: boolean): readonly Statement[] {
  if (!table.removesRows || !(makesRows || deletes)) return []
  const text = sql.lockStatement(table, deletes ? 'exclusive' : 'shared')
  return [{ text, parameters: [], prepared: true, answersKeys: false }]
}

function fullStatements(table: Table, texts: StatementTexts, rows: readonly Row[]): readonly Statement[] {
  return [...bySetOfColumns(rows)].map(([set, group]) => {
    const cached = texts.full(set)
    const text = cached ?? sql.fullUpsert(table, columnsOf(table, set))
    return { text, parameters: parametersOf(set, group), prepared: cached !== undefined, answersKeys: true }
  })
}

function partialStatements(table: Table, texts: StatementTexts, rows: readonly Row[]): readonly Statement[] {
  const statements: Statement[] = []
  const rest: Row[] = []
  const groups = [...bySetOfColumns(rows)].sort(([, a], [, b]) => b.length - a.length)
  for (const [set, group] of groups) {
    const text =
      group.length >= OWN_STATEMENT_ROWS_MIN && statements.length < PARTIAL_STATEMENTS_MAX
        ? texts.partial(set)
        : undefined
    if (text === undefined) rest.push(...group)
    else statements.push({ text, parameters: parametersOf(set, group), prepared: true, answersKeys: true })
  }
  if (rest.length > 0) {
    const all = table.columns.map((_, at) => at)
    const [keys, versions, ...columns] = parametersOf(all, rest)
    const masks = rest.map(({ values }) => all.map((at) => (values.has(at) ? '1' : '0')).join(''))
    const parameters = [keys!, versions!, arrayLiteral(masks), ...columns]
    statements.push({ text: texts.masked(), parameters, prepared: true, answersKeys: true })
  }
  return statements
}

function deleteStatements(table: Table, rows: readonly Row[]): readonly Statement[] {
  if (rows.length === 0) return []
  const { deletion } = table
  const parameters = parametersOf([], rows)
  const statement = (text: string, answersKeys: boolean, more: readonly string[] = parameters) => ({
    text,
    parameters: more,
    prepared: true,
    answersKeys,
  })
  if (typeof deletion === 'object') {
    const parts = deletion.condition.keyTypes.map((_, at) => at)
    // What is not there is remembered alike, however it would have been deleted.
    const remember = table.removesRows ? sql.guardDelete(table) : sql.markMissingDeleted(table)
    return [
      statement(sql.lockRows(table), false, [parameters[0]!]),
      statement(sql.conditionalDelete(table, deletion), true, parametersOf(parts, rows)),
      statement(remember, true),
    ]
  }
  switch (deletion) {
    case 'hard':
    case 'archive':
      return [statement(sql.removeRows(table), false), statement(sql.guardDelete(table), true)]
    case 'soft':
      return [statement(sql.markDeleted(table), true), statement(sql.markMissingDeleted(table), true)]
    case 'ignore':
      return [statement(sql.advanceVersion(table), true)]
  }
}

/** Rows by the columns they hold, as ascending column numbers. */
function bySetOfColumns(rows: readonly Row[]): Iterable<readonly [readonly number[], readonly Row[]]> {
  const groups = new Map<string, readonly [readonly number[], Row[]]>()
  for (const row of rows) {
    const set = [...row.values.keys()]
    const name = set.join(',')
    const group = groups.get(name)
    if (group) group[1].push(row)
    else groups.set(name, [set, [row]])
  }
  return groups.values()
}

function columnsOf(table: Table, set: readonly number[]) {
  return set.map((at) => table.columns[at]!)
}

function parametersOf(set: readonly number[], rows: readonly Row[]): readonly string[] {
  return [
    arrayLiteral(rows.map(({ key }) => key)),
    arrayLiteral(rows.map(({ version }) => version)),
    ...set.map((at) => arrayLiteral(rows.map(({ values }) => values.get(at) ?? null))),
  ]
}
