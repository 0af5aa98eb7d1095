import type { EntityMapping } from '../../../connectors/destination.ts'
import { parseFieldType } from '../../../schemas/field-type.ts'

/** A mapping of fields that are called the same on both sides: `name → declared type`. The entity's key is `id`. */
export function mappingOf(
  target: string,
  keyFields: readonly string[],
  fields: Readonly<Record<string, string>>,
  more: Partial<EntityMapping> = {},
): EntityMapping {
  const typed = Object.entries(fields).map(([name, type]) => ({ name, type: parseFieldType(type), personal: false }))
  const key = keyFields.map((_, at) => (at === 0 ? 'id' : `id${at + 1}`))
  const keyTyped = key.map((name) => ({ name, type: parseFieldType('string'), personal: false }))
  return {
    entity: {
      name: target,
      key,
      fields: [...keyTyped, ...typed],
      class: 'standard',
      owner: 'tests',
      freshnessSeconds: 60,
    },
    target,
    fields: typed.map(({ name, type }) => ({ to: name, from: [name], type, transform: null })),
    keyFields,
    updateOnly: false,
    lookups: {},
    onDelete: 'hard',
    ...more,
  }
}
