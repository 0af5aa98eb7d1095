import { type AvroSchema, deltaSchema } from '../avro.ts'
import type { Claim, Delta, Provenance } from '../delta.ts'
import type { Entity } from '../entity.ts'
import { TributaryError, UnencodableValue } from '../errors.ts'
import { TIMESTAMP_INFINITY, TIMESTAMP_MINUS_INFINITY } from '../field-type.ts'
import { LargeValue } from '../large-value.ts'
import { SNAPSHOT_ORDINAL, type Version } from '../version.ts'
import { avscType } from './avsc-type.ts'
import type { AvroWriter } from './bytes.ts'
import { bytesLayout } from './layout.ts'
import { type WriteValue, writeNullable, writeValue } from './write-value.ts'

const INT64_MAX = TIMESTAMP_INFINITY
const INT64_MIN = TIMESTAMP_MINUS_INFINITY
const ORDINAL_MAX = 2_147_483_647
const NULL_BRANCH = 0
/** The index 1, zigzag encoded. */
const VALUE_BRANCH = 2
/** The symbols of the schema in their order, zigzag encoded. */
const OPERATION_BYTES = { create: 0, update: 2, snapshot: 4 } as const

interface FieldWriter {
  readonly name: string
  readonly write: WriteValue
}

/** Writes the body of one entity's deltas. Every value is checked; a problem names the field, never the value. */
export type WriteDelta = (writer: AvroWriter, delta: Delta) => void

/** @throws TributaryError `invariant-broken` when the schema is not the one of this entity's declaration */
export function compileDeltaWriter(entity: Entity, schema: AvroSchema): WriteDelta {
  avscType(schema)
  if (bytesLayout(schema) !== bytesLayout(deltaSchema('any', entity)))
    throw defect(entity.name, 'its schema is not the one that its declaration gives')
  const fields: FieldWriter[] = entity.fields.map(({ name, type }) => ({ name, write: writeValue(type) }))
  const names = new Set(entity.fields.map((field) => field.name))
  return (writer, delta) => {
    if (delta.entity !== entity.name) throw defect(entity.name, 'its encoder was given a delta of another entity')
    writer.writeByte(OPERATION_BYTES[delta.op])
    writeVersion(writer, entity.name, delta.version)
    writeChanged(writer, entity.name, delta.changed)
    writeAfter(writer, entity.name, fields, delta)
    writeSource(writer, entity.name, delta.source)
    writeOptional(writer, entity.name, 'origin', delta.origin)
    writeClaims(writer, entity.name, names, delta.claims)
  }
}

function writeVersion(writer: AvroWriter, entity: string, { epoch, position, ordinal }: Version): void {
  if (epoch < 1n || epoch > INT64_MAX || position < 0n || position > INT64_MAX)
    throw unencodable(entity, 'version', 'is out of range')
  if (!Number.isInteger(ordinal) || ordinal < SNAPSHOT_ORDINAL || ordinal > ORDINAL_MAX)
    throw unencodable(entity, 'version', 'has an ordinal that is out of range')
  writer.writeLong(epoch)
  writer.writeLong(position)
  writer.writeInteger(ordinal)
}

function writeChanged(writer: AvroWriter, entity: string, changed: readonly string[] | null): void {
  writer.writeByte(changed === null ? NULL_BRANCH : VALUE_BRANCH)
  if (changed === null) return
  if (changed.length > 0) writer.writeInteger(changed.length)
  for (const name of changed) writeText(writer, entity, 'changed', name)
  writer.writeInteger(0)
}

function writeAfter(writer: AvroWriter, entity: string, fields: readonly FieldWriter[], delta: Delta): void {
  const { after, claims } = delta
  let present = 0
  for (const { name, write } of fields) {
    const value = after[name]
    if (value === undefined) {
      // Avro has no "unknown": null would clear the field at every subscriber. What is claimed is held elsewhere.
      if (claims[name] === undefined) throw unencodable(entity, name, 'is missing from the change')
      writer.writeByte(NULL_BRANCH)
      continue
    }
    present++
    const problem = writeNullable(writer, value, write)
    if (problem === undefined) continue
    if (value instanceof LargeValue)
      throw defect(entity, `a delta holds the large value of "${name}" itself, not a claim`)
    throw unencodable(entity, name, problem)
  }
  if (Object.keys(after).length !== present) checkNames(entity, fields, after)
}

function checkNames(entity: string, fields: readonly FieldWriter[], after: Delta['after']): void {
  const known = new Set(fields.map((field) => field.name))
  for (const name of Object.keys(after))
    if (!known.has(name)) throw defect(entity, `a delta has the field "${name}", which is not declared`)
}

function writeSource(writer: AvroWriter, entity: string, source: Provenance): void {
  writeText(writer, entity, 'source.system', source.system)
  writeText(writer, entity, 'source.instance', source.instance)
  writeText(writer, entity, 'source.object', source.object)
  writeText(writer, entity, 'source.position', source.position)
  writeOptional(writer, entity, 'source.transaction', source.transaction)
  writeLong(writer, entity, 'source.committedAt', source.committedAt)
  writeLong(writer, entity, 'source.capturedAt', source.capturedAt)
}

function writeClaims(
  writer: AvroWriter,
  entity: string,
  names: ReadonlySet<string>,
  claims: Readonly<Record<string, Claim>>,
): void {
  const entries = Object.entries(claims)
  if (entries.length > 0) writer.writeInteger(entries.length)
  for (const [name, claim] of entries) {
    if (!names.has(name)) throw defect(entity, `a delta claims the field "${name}", which is not declared`)
    writeText(writer, entity, name, name)
    writeText(writer, entity, name, claim.uri)
    writeText(writer, entity, name, claim.sha256)
    writeLong(writer, entity, name, claim.bytes)
  }
  writer.writeInteger(0)
}

function writeOptional(writer: AvroWriter, entity: string, field: string, text: string | null): void {
  writer.writeByte(text === null ? NULL_BRANCH : VALUE_BRANCH)
  if (text !== null) writeText(writer, entity, field, text)
}

function writeText(writer: AvroWriter, entity: string, field: string, text: string): void {
  if (!writer.writeString(text)) throw unencodable(entity, field, 'is not well-formed text')
}

function writeLong(writer: AvroWriter, entity: string, field: string, value: bigint): void {
  if (value < INT64_MIN || value > INT64_MAX) throw unencodable(entity, field, 'is out of range for an int64')
  writer.writeLong(value)
}

/** An error about a value, which is not in it. */
export function unencodable(entity: string, field: string, reason: string): TributaryError {
  return new UnencodableValue(
    field,
    reason,
    `${entity}.${field} ${reason}; correct it at the source or declare a wider type`,
  )
}

function defect(entity: string, what: string): TributaryError {
  return new TributaryError('invariant-broken', `${entity}: ${what}; report this as a defect of tributary`, {
    cause: new Error(what),
  })
}
