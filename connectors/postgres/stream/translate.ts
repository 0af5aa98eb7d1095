import type { Provenance } from '../../../schemas/delta.ts'
import { TributaryError } from '../../../schemas/errors.ts'
import type { Value } from '../../../schemas/field-type.ts'
import { formatKey, KEY_BYTES_MAX } from '../../../schemas/key.ts'
import type { Version } from '../../../schemas/version.ts'
import type { SourceEvent } from '../../source.ts'
import { AlteredTable } from '../altered-table.ts'
import { formatLsn } from '../lsn.ts'
import type { RowPlan } from '../row-plan.ts'
import { Unencodable } from '../values.ts'
import { type BeginMessage, NULL, type RowMessage, TEXT, type Tuple, UNCHANGED } from './pgoutput.ts'

/** Two ordinals a row (a key change is a delete and a create) must fit the 31 bits of a version's ordinal. */
const ROWS_MAX = 2 ** 30
const NONE: readonly string[] = []
const NO_CLAIMS = Object.freeze({})
/** Below this many bytes a loop compares faster than a call. */
const LOOP_COMPARE_MAX = 64

export interface TranslatorOptions {
  /** The source's name. */
  readonly instance: string
  readonly epoch: bigint
  /** From which position on every change of an entity is needed; undefined while none is. */
  readonly neededFrom: (entity: string) => bigint | undefined
}

/** Turns rows of the log into changes; pure but for the transaction that it is in. */
export interface Translator {
  /** The time that deltas name as captured, in microseconds; called once a batch, as asking for each row would cost. */
  startBatch(capturedAt: bigint): void
  begin(message: BeginMessage): void
  origin(name: string): void
  /**
   * Appends what a row means: nothing, one change, or a delete and a create. `plan` is undefined for a table that is not captured.
   * @throws AlteredTable when the table was altered away from its declaration
   */
  row(plan: RowPlan | undefined, message: RowMessage, out: SourceEvent[]): void
  /** Appends changes without their fields, in this place of the stream: hydrate reads them, and drops those whose object is gone. */
  reread(plan: Pick<RowPlan, 'entity' | 'object' | 'fieldNames'>, keys: readonly string[], out: SourceEvent[]): void
  /**
   * What it means that a table was emptied; undefined for one that is not captured.
   * @throws AlteredTable when it is not the captured table any more
   */
  truncate(plan: RowPlan | undefined): Emptied | undefined
}

/** What a TRUNCATE means for one entity: each key that is alive below `version` is deleted at it. */
export interface Emptied {
  readonly entity: string
  readonly version: Version
  readonly source: Provenance
  readonly origin: string | null
}

export function createTranslator(options: TranslatorOptions): Translator {
  const { instance, epoch, neededFrom } = options
  let position = 0n
  let positionText = ''
  let transaction = ''
  let committedAt = 0n
  let capturedAt = 0n
  let origin: string | null = null
  let rows = 0
  let provenance: Provenance | undefined

  function provenanceOf(plan: Pick<RowPlan, 'object'>): Provenance {
    if (provenance === undefined || provenance.object !== plan.object)
      provenance = {
        system: 'postgres',
        instance,
        object: plan.object,
        position: positionText,
        transaction,
        committedAt,
        capturedAt,
      }
    return provenance
  }

  function remove(plan: RowPlan, key: string, ordinal: number, out: SourceEvent[]): void {
    const version = { epoch, position, ordinal }
    const source = provenanceOf(plan)
    if (isTooLong(key)) out.push(keyTooLong(plan, version, source))
    else
      out.push({
        kind: 'change',
        change: { op: 'delete', entity: plan.entity, key, version, source, origin },
        missing: NONE,
      })
  }

  function write(
    plan: RowPlan,
    message: RowMessage,
    op: 'create' | 'update',
    key: string,
    ordinal: number,
    changed: readonly string[] | null,
    out: SourceEvent[],
  ): void {
    const version = { epoch, position, ordinal }
    const source = provenanceOf(plan)
    if (isTooLong(key)) {
      out.push(keyTooLong(plan, version, source))
      return
    }
    const { bytes } = message
    const row = message.new
    const old = message.oldKind === 'full' ? message.old : null
    const after: Record<string, Value> = {}
    let missing: string[] | undefined = plan.absent.length > 0 ? [...plan.absent] : undefined
    for (const field of plan.fields) {
      const index = field.index
      let from = row
      // A large value that did not change is not in the log again; the old row has it when the identity is full.
      if (row.kinds[index] === UNCHANGED && old !== null) from = old
      const kind = from.kinds[index]
      if (kind === TEXT) {
        try {
          after[field.name] = field.read(bytes, from.starts[index]!, from.ends[index]!)
        } catch (error) {
          if (!(error instanceof Unencodable)) throw error
          out.push({
            kind: 'unencodable',
            entity: plan.entity,
            key,
            version,
            source,
            field: field.name,
            reason: error.message,
          })
          return
        }
      } else if (kind === NULL) after[field.name] = null
      else if (missing === undefined) missing = [field.name]
      else missing.push(field.name)
    }
    out.push({
      kind: 'change',
      change: { op, entity: plan.entity, key, version, changed, after, source, origin, claims: NO_CLAIMS },
      missing: missing ?? NONE,
    })
  }

  function nextOrdinal(): number {
    if (rows >= ROWS_MAX) throw new TributaryError('invariant-broken', `a transaction has more than ${ROWS_MAX} rows`)
    return rows++ * 2
  }

  function isBelowSnapshot(plan: RowPlan): boolean {
    const from = neededFrom(plan.entity)
    return from === undefined || position < from
  }

  return {
    startBatch(at) {
      capturedAt = at
      provenance = undefined
    },
    begin(message) {
      position = message.commitLsn
      positionText = formatLsn(position)
      transaction = String(message.xid)
      committedAt = message.committedAt
      origin = null
      rows = 0
      provenance = undefined
    },
    origin(name) {
      origin = name
    },
    row(plan, message, out) {
      // Counted for every row of the transaction, captured or not: an ordinal must not depend on the declaration.
      const ordinal = nextOrdinal()
      if (plan === undefined) return
      if (plan.problem !== undefined) {
        if (!isBelowSnapshot(plan)) throw altered(plan, positionText)
        if (plan.key === undefined) return
      }
      if ((message.op === 'delete' ? message.old : message.new).count !== plan.width)
        throw new TributaryError(
          'invariant-broken',
          `a row of ${plan.object} does not have the columns announced for it`,
        )
      const oldKey = message.oldKind === null ? undefined : keyOf(plan, message.bytes, message.old)
      // A row that had no key was never published.
      const hadNoKey = message.oldKind === 'full' && oldKey === undefined && hasNullKey(plan, message.old)
      if (message.oldKind !== null && oldKey === undefined && !hadNoKey) {
        if (isBelowSnapshot(plan)) return
        throw new AlteredTable(
          [plan.entity],
          `the log does not hold the key of a row of ${plan.object} at ${positionText}: its replica identity was changed`,
        )
      }
      if (message.op === 'delete') {
        if (oldKey !== undefined) remove(plan, oldKey, ordinal, out)
        return
      }
      if (hasNullKey(plan, message.new)) {
        if (oldKey !== undefined) remove(plan, oldKey, ordinal, out)
        out.push(keyNull(plan, { epoch, position, ordinal: ordinal + 1 }, provenanceOf(plan)))
        return
      }
      const key = keyOf(plan, message.bytes, message.new, message.oldKind === null ? undefined : message.old)
      if (key === undefined)
        throw new TributaryError('invariant-broken', `a row of ${plan.object} at ${positionText} has no key`)
      if (message.op === 'insert' || hadNoKey) write(plan, message, 'create', key, ordinal, plan.fieldNames, out)
      else if (oldKey !== undefined && oldKey !== key) {
        remove(plan, oldKey, ordinal, out)
        write(plan, message, 'create', key, ordinal + 1, plan.fieldNames, out)
      } else if (message.oldKind === 'full') {
        const changed = changedFields(plan, message)
        if (changed.length > 0) write(plan, message, 'update', key, ordinal, changed, out)
      } else write(plan, message, 'update', key, ordinal, null, out)
    },
    reread(plan, keys, out) {
      const { entity, fieldNames } = plan
      for (const key of keys) {
        const version = { epoch, position, ordinal: nextOrdinal() }
        const source = provenanceOf(plan)
        out.push({
          kind: 'change',
          change: { op: 'update', entity, key, version, changed: null, after: {}, source, origin, claims: NO_CLAIMS },
          missing: fieldNames,
        })
      }
    },
    truncate(plan) {
      const version = { epoch, position, ordinal: nextOrdinal() }
      if (plan === undefined) return undefined
      // Below its snapshot whatever table it was does not matter: the snapshot tells what is there later.
      if (plan.problem !== undefined && !isBelowSnapshot(plan)) throw altered(plan, positionText)
      return { entity: plan.entity, version, source: provenanceOf(plan), origin }
    },
  }
}

/**
 * @param old where a large part that did not change is found: it is not in the new row again
 * @returns undefined when a part is null or in neither
 */
function keyOf(plan: RowPlan, bytes: Buffer, row: Tuple, old?: Tuple): string | undefined {
  const indexes = plan.key!
  if (indexes.length === 1) return keyPart(indexes[0]!, bytes, row, old)
  const parts: string[] = []
  for (const index of indexes) {
    const part = keyPart(index, bytes, row, old)
    if (part === undefined) return undefined
    parts.push(part)
  }
  return formatKey(parts)
}

function keyPart(index: number, bytes: Buffer, row: Tuple, old: Tuple | undefined): string | undefined {
  const from = row.kinds[index] === UNCHANGED && old !== undefined ? old : row
  return from.kinds[index] === TEXT ? bytes.toString('utf8', from.starts[index]!, from.ends[index]!) : undefined
}

/** Whether a part of the key is SQL's NULL, which a column that was NOT NULL at the start can become. */
function hasNullKey(plan: RowPlan, row: Tuple): boolean {
  return plan.key!.some((index) => row.kinds[index] === NULL)
}

/** The event for a row that has no key: it is named by its place. */
function keyNull(plan: RowPlan, version: Version, source: Provenance): SourceEvent {
  return {
    kind: 'unencodable',
    entity: plan.entity,
    key: `!key-null/${version.position}/${version.ordinal}`,
    version,
    source,
    field: 'key',
    reason: "a part of the key is null; the row's place in the log stands for it here",
  }
}

export function isTooLong(key: string): boolean {
  // A UTF-16 unit is at most three bytes of UTF-8.
  return key.length * 3 > KEY_BYTES_MAX && Buffer.byteLength(key) > KEY_BYTES_MAX
}

/**
 * The event for a row whose key no record can have. The key may be personal, so it is named by its place instead.
 * @param row tells rows apart that have one place
 */
export function keyTooLong(
  plan: Pick<RowPlan, 'entity' | 'fieldNames'>,
  version: Version,
  source: Provenance,
  row = '',
): SourceEvent {
  return {
    kind: 'unencodable',
    entity: plan.entity,
    key: `!key-too-long/${version.position}/${version.ordinal}${row === '' ? '' : `/${row}`}`,
    version,
    source,
    field: 'key',
    reason: `the key has more than ${KEY_BYTES_MAX} bytes; its place in the log stands for it here`,
  }
}

function changedFields(plan: RowPlan, message: RowMessage): readonly string[] {
  const { bytes, old, new: row } = message
  const changed: string[] = []
  for (const field of plan.fields) {
    const index = field.index
    const kind = row.kinds[index]
    if (kind === UNCHANGED) continue
    if (kind !== old.kinds[index]) changed.push(field.name)
    else if (
      kind === TEXT &&
      !isSame(bytes, old.starts[index]!, old.ends[index]!, row.starts[index]!, row.ends[index]!)
    )
      changed.push(field.name)
  }
  return changed
}

function isSame(bytes: Buffer, start: number, end: number, otherStart: number, otherEnd: number): boolean {
  const length = end - start
  if (otherEnd - otherStart !== length) return false
  if (length > LOOP_COMPARE_MAX) return bytes.compare(bytes, otherStart, otherEnd, start, end) === 0
  for (let at = 0; at < length; at++) if (bytes[start + at] !== bytes[otherStart + at]) return false
  return true
}

/** The error for a table that was altered while captured. */
export function altered(plan: RowPlan, place: string): AlteredTable {
  return new AlteredTable([plan.entity], `from ${place} on, ${plan.problem}`)
}
