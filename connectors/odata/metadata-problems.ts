import { type FieldType, formatFieldType } from '../../schemas/field-type.ts'
import type { DeletePolicy, EntityMapping } from '../destination.ts'
import type { EntityType } from './edmx.ts'
import { isKeyType, keyType } from './key.ts'

/** The declared types that an OData primitive type takes. Types of a system's own (enumerations) take their names, as text. */
const TAKES: Readonly<Record<string, readonly FieldType['kind'][]>> = {
  'Edm.String': ['string', 'enum', 'json', 'uuid'],
  'Edm.Int16': ['int32', 'int64'],
  'Edm.Int32': ['int32', 'int64'],
  'Edm.Int64': ['int32', 'int64'],
  'Edm.Decimal': ['decimal', 'numeric', 'int32', 'int64', 'double'],
  'Edm.Double': ['double', 'decimal', 'numeric', 'int32', 'int64'],
  'Edm.Boolean': ['boolean'],
  'Edm.DateTimeOffset': ['timestamptz', 'timestamp'],
  'Edm.Date': ['date'],
  'Edm.TimeOfDay': ['time'],
  'Edm.Guid': ['uuid'],
  'Edm.Binary': ['bytes'],
  'Edm.Stream': [],
}

/** What is wrong with a mapping for a system whose policies are hard and ignore, and whose schema is known from `$metadata`. */
export function metadataProblems(
  mapping: EntityMapping,
  type: EntityType | null,
  system: {
    readonly name: string
    readonly policies: readonly DeletePolicy[]
    /** What else a date may be put into. */
    readonly datesAre: 'Edm.Date' | 'Edm.DateTimeOffset'
  },
): readonly string[] {
  const { target, onDelete, keyFields } = mapping
  const problems: string[] = []
  if (typeof onDelete === 'object' || !system.policies.includes(onDelete))
    problems.push(
      `${target}: ${system.name} cannot carry out the delete policy ${typeof onDelete === 'object' ? 'with a condition' : onDelete}; it has ${system.policies.join(' and ')}`,
    )
  if (keyFields.length === 0) problems.push(`${target}: no key fields; name the properties that hold the key`)
  if (type === null) return [...problems, `${system.name} has no entity set ${target}: names are case-sensitive`]
  for (const [at, name] of keyFields.entries())
    if (!isKeyType(keyType(mapping, at)))
      problems.push(`${target}.${name}: a key cannot be a ${formatFieldType(keyType(mapping, at))}`)
  const fields = [
    ...keyFields.map((to, at) => ({ to, type: keyType(mapping, at) })),
    ...mapping.fields.filter(({ to }) => !keyFields.includes(to)),
  ]
  for (const field of fields) {
    const edm = type.properties.get(field.to)
    const takes =
      edm === undefined ? [] : [...(TAKES[edm] ?? ['string', 'enum']), ...(edm === system.datesAre ? ['date'] : [])]
    if (edm === undefined)
      problems.push(`${system.name} has no property ${field.to} of ${target}: names are case-sensitive`)
    else if (!takes.includes(field.type.kind))
      problems.push(
        `property ${field.to} of ${target} is ${edm} and does not take ${formatFieldType(field.type)}; it takes ${[...new Set(takes)].join(', ') || 'nothing'}`,
      )
  }
  return problems
}
