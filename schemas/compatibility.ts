import { bytesLayout, type DeltaLayout, deltaLayout, describe, type FieldLayout } from './avro/layout.ts'
import type { AvroSchema } from './avro.ts'

/** Why a schema cannot follow those that are registered. All three are sentences for whoever wrote the declaration. */
export interface Incompatibility {
  /** The entity's field; `key` and `schema` for what is not about one field. */
  readonly field: string
  readonly why: string
  readonly suggestion: string
}

/**
 * What stands against registering `next` beside every version there is: old records live for ever, so it has to be readable
 * beside each of them, not only the newest. A registry's own check does not see logical types, scales or keys.
 *
 * Adding and removing fields is fine. A field that was removed and comes back has to come back as it was.
 * @param registered oldest first
 * @returns nothing when it may be registered
 */
export function incompatibilities(registered: readonly AvroSchema[], next: AvroSchema): readonly Incompatibility[] {
  const after = deltaLayout(next)
  if (!after) return [notADelta('the new schema is not that of a delta')]
  const found = new Map<string, Incompatibility>()
  // Newest first: of two that differ from the new one, the newer is what the reader remembers.
  for (const schema of registered.toReversed())
    for (const problem of compare(deltaLayout(schema), after))
      if (!found.has(problem.field)) found.set(problem.field, problem)
  return [...found.values()]
}

function compare(before: DeltaLayout | undefined, after: DeltaLayout): readonly Incompatibility[] {
  if (!before) return [notADelta('the subject holds a schema that tributary did not write')]
  const problems: Incompatibility[] = []
  if (before.fullName !== after.fullName) problems.push(renamed(before, after))
  if (before.key.join('\n') !== after.key.join('\n')) problems.push(keyChanged(before, after))
  const fields = new Map(before.fields.map((field) => [field.avroName, field]))
  for (const field of after.fields) {
    const earlier = fields.get(field.avroName)
    if (earlier && represented(earlier) !== represented(field)) problems.push(retyped(earlier, field, after.key))
  }
  return [...problems, ...envelopeChanges(before, after)]
}

function represented(field: FieldLayout): string {
  return field.representation ? describe(field.representation) : 'something else'
}

function retyped(before: FieldLayout, after: FieldLayout, key: readonly string[]): Incompatibility {
  const was = before.declared === after.declared ? represented(before) : before.declared
  const becomes = before.declared === after.declared ? represented(after) : after.declared
  return {
    field: after.name,
    why: `\`${after.name}\` was ${was} and would become ${becomes}: ${reason(before, after)}`,
    suggestion: key.includes(after.name)
      ? `leave \`${after.name}\` as ${was}; it is part of the key, so another type needs a new entity`
      : `leave \`${after.name}\` as ${was}, or declare a field with a new name (such as \`${after.name}_2\`) and keep the old name unused`,
  }
}

function reason(before: FieldLayout, after: FieldLayout): string {
  const was = before.representation
  const becomes = after.representation
  if (!was || !becomes) return 'the records that are on the topic hold it in another form'
  if (was.array !== becomes.array) return 'a list and a single value are different bytes'
  if (was.primitive !== becomes.primitive) return 'the bytes of old records would be read as something else'
  if (was.logical === 'decimal' && becomes.logical === 'decimal')
    return was.scale !== becomes.scale
      ? 'a record does not hold where its point is, so old amounts would be read wrong by powers of ten'
      : 'readers would have to hold two precisions side by side'
  return 'the same bytes would mean something else'
}

function keyChanged(before: DeltaLayout, after: DeltaLayout): Incompatibility {
  const list = (key: readonly string[]) => key.map((name) => `\`${name}\``).join(', ')
  return {
    field: 'key',
    why: `the key was ${list(before.key)} and would become ${list(after.key)}: every object would get a second record under another key`,
    suggestion: `keep the key, or declare a new entity beside \`${after.entity}\``,
  }
}

function renamed(before: DeltaLayout, after: DeltaLayout): Incompatibility {
  return {
    field: 'schema',
    why: `the record was called ${before.fullName} and would be called ${after.fullName}`,
    suggestion: 'use another prefix, so that the topic and its subject are new',
  }
}

/** Parts of the envelope that both have, and that are laid out differently: another version of tributary wrote it. */
function envelopeChanges(before: DeltaLayout, after: DeltaLayout): readonly Incompatibility[] {
  const parts = new Map(before.envelope.map((part) => [part.name, part]))
  return after.envelope
    .filter((part) => part.name !== 'after')
    .filter((part) => {
      const earlier = parts.get(part.name)
      return earlier && bytesLayout(earlier.type) !== bytesLayout(part.type)
    })
    .map((part) => ({
      field: 'schema',
      why: `the part \`${String(part.name)}\` of a delta is laid out differently from what is registered`,
      suggestion: 'run the version of tributary that registered it, or use another prefix',
    }))
}

function notADelta(why: string): Incompatibility {
  return { field: 'schema', why, suggestion: 'use another prefix, so that the topic and its subject are new' }
}
