import type { Type, types } from 'avsc'
import { type AvroObject, type AvroSchema, deltaSchema } from '../avro.ts'
import type { Claim, Delta, Provenance } from '../delta.ts'
import type { Value } from '../field-type.ts'
import type { Version } from '../version.ts'
import { avscType } from './avsc-type.ts'
import { type AvroReader, MalformedBytes } from './bytes.ts'
import { bytesLayout, type DeltaLayout, deltaLayout, recordFields } from './layout.ts'
import { type ReadValue, readNullable } from './read-value.ts'

/** Reads the body of a delta as its writer's schema says. @throws MalformedBytes */
export type ReadDelta = (reader: AvroReader, key: string) => Delta

/** A delta while it is read. */
type Draft = { -readonly [Part in keyof Delta]?: Delta[Part] }
type Step = (reader: AvroReader, draft: Draft) => void

const OPERATIONS = ['create', 'update', 'snapshot'] as const
const NO_CLAIMS: Delta['claims'] = Object.freeze({})

/**
 * A reader for one writer's schema. Only what that writer had is in `after`: nothing is filled with defaults. Parts of the
 * envelope that a later tributary added are skipped.
 * @returns undefined when the schema is not one of a delta that this tributary can read
 */
export function compileDeltaReader(schema: AvroSchema): ReadDelta | undefined {
  const layout = deltaLayout(schema)
  const type = layout && parse(schema)
  if (!layout || !type) return undefined
  const steps: Step[] = []
  const missing = new Set(Object.keys(PARTS))
  for (const [index, field] of layout.envelope.entries()) {
    const name = field.name as string
    const compile = missing.delete(name) ? PARTS[name as keyof typeof PARTS] : undefined
    const step = compile ? compile(field, layout) : skip(type.fields[index]!.type)
    if (!step) return undefined
    steps.push(step)
  }
  if (missing.size > 0) return undefined
  return (reader, key) => {
    const draft: Draft = { entity: layout.entity, key }
    for (const step of steps) step(reader, draft)
    // Every part has had its step.
    return draft as Delta
  }
}

function parse(schema: AvroSchema): types.RecordType | undefined {
  try {
    return avscType(schema) as types.RecordType
  } catch {
    // Whether a schema can be read is the question here; the caller says so with the id.
    return undefined
  }
}

const PARTS: Record<
  'op' | 'version' | 'changed' | 'after' | 'source' | 'origin' | 'claims',
  (field: AvroObject, layout: DeltaLayout) => Step | undefined
> = {
  op: compileOperation,
  version: (field) =>
    written('version', field) &&
    ((reader, draft) => {
      draft.version = readVersion(reader)
    }),
  changed: (field) =>
    written('changed', field) &&
    ((reader, draft) => {
      draft.changed = reader.readIsNull() ? null : readStrings(reader)
    }),
  after: (_field, layout) => compileAfter(layout),
  source: (field) =>
    written('source', field) &&
    ((reader, draft) => {
      draft.source = readSource(reader)
    }),
  origin: (field) =>
    written('origin', field) &&
    ((reader, draft) => {
      draft.origin = reader.readIsNull() ? null : reader.readString()
    }),
  claims: (field, layout) => {
    const names = new Set(layout.fields.map(({ name }) => name))
    return (
      written('claims', field) &&
      ((reader, draft) => {
        draft.claims = readClaims(reader, names, draft)
      })
    )
  },
}

const OWN_LAYOUTS = new Map(
  recordFields(
    deltaSchema('any', { name: 'any', key: [], fields: [], class: 'standard', owner: '', freshnessSeconds: 0 }),
  )!.map((field) => [field.name as string, bytesLayout(field.type)]),
)

/** True when this part is laid out as this tributary writes it; undefined otherwise. */
function written(part: string, field: AvroObject): true | undefined {
  return bytesLayout(field.type) === OWN_LAYOUTS.get(part) ? true : undefined
}

function compileOperation(field: AvroObject): Step | undefined {
  const { type } = field
  const symbols = typeof type === 'object' && 'symbols' in type ? (type.symbols as unknown) : undefined
  if (!Array.isArray(symbols)) return undefined
  const operations = symbols.map((symbol) => OPERATIONS.find((name) => name === symbol))
  return (reader, draft) => {
    const operation = operations[reader.readInt()]
    if (!operation) throw new MalformedBytes('the operation is unknown')
    draft.op = operation
  }
}

function compileAfter(layout: DeltaLayout): Step | undefined {
  const fields: { readonly name: string; readonly read: ReadValue }[] = []
  for (const { name, representation } of layout.fields) {
    if (!representation) return undefined
    fields.push({ name, read: readNullable(representation) })
  }
  return (reader, draft) => {
    const after: Record<string, Value> = {}
    for (const { name, read } of fields) after[name] = read(reader)
    draft.after = after
  }
}

function readVersion(reader: AvroReader): Version {
  const epoch = reader.readLong()
  const position = reader.readLong()
  const ordinal = reader.readInt()
  if (epoch < 1n || position < 0n || ordinal < -1) throw new MalformedBytes('the version is out of range')
  return { epoch, position, ordinal }
}

function readStrings(reader: AvroReader): readonly string[] {
  const strings: string[] = []
  for (let count = reader.readBlock(); count > 0; count = reader.readBlock())
    for (; count > 0; count--) strings.push(reader.readString())
  return strings
}

function readSource(reader: AvroReader): Provenance {
  return {
    system: reader.readString(),
    instance: reader.readString(),
    object: reader.readString(),
    position: reader.readString(),
    transaction: reader.readIsNull() ? null : reader.readString(),
    committedAt: reader.readLong(),
    capturedAt: reader.readLong(),
  }
}

/** What is claimed is null in `after` on the wire, and so is taken out of it: it is held elsewhere, not empty. */
function readClaims(reader: AvroReader, names: ReadonlySet<string>, draft: Draft): Delta['claims'] {
  let count = reader.readBlock()
  if (count === 0) return NO_CLAIMS
  const claims: Record<string, Claim> = {}
  const after: Record<string, Value> = { ...draft.after }
  for (; count > 0; count = reader.readBlock())
    for (; count > 0; count--) {
      const name = reader.readString()
      if (!names.has(name) || (after[name] ?? null) !== null) throw new MalformedBytes('a claim names no claimed field')
      claims[name] = { uri: reader.readString(), sha256: reader.readString(), bytes: reader.readLong() }
      delete after[name]
    }
  draft.after = after
  return claims
}

/** Skips a part that this tributary does not know, by way of avsc. */
function skip(type: Type): Step {
  return (reader) => {
    const { offset } = type.decode(reader.buffer, reader.position)
    if (offset < 0) throw new MalformedBytes('the record ends too soon')
    reader.position = offset
  }
}
