import type { ConditionalDelete, DeletePolicy, EntityMapping } from '../../../connectors/destination.ts'
import { type FieldType, parseFieldType } from '../../../schemas/field-type.ts'

/** A mapping with the given destination fields, `name → declared type`. */
export function mappingOf(
  target: string,
  fields: Readonly<Record<string, string | FieldType>>,
  onDelete: DeletePolicy | ConditionalDelete = 'hard',
  key: readonly string[] = ['id'],
): EntityMapping {
  const typed = Object.entries(fields).map(([name, type]) => ({
    name,
    type: typeof type === 'string' ? parseFieldType(type) : type,
  }))
  return {
    entity: {
      name: target,
      key,
      fields: typed.map((field) => ({ ...field, personal: false })),
      class: 'standard',
      owner: 'tests',
      freshnessSeconds: 60,
    },
    target,
    fields: typed.map(({ name, type }) => ({ to: name, from: [name], type, transform: null })),
    keyFields: [],
    updateOnly: false,
    lookups: {},
    onDelete,
  }
}
