import type { FieldType } from './field-type.ts'

/** A field of an entity. `personal` marks data about people: never logged, shown masked. */
export interface Field {
  readonly name: string
  readonly type: FieldType
  readonly personal: boolean
}

export const ENTITY_CLASSES = ['critical', 'standard'] as const
export type EntityClass = (typeof ENTITY_CLASSES)[number]

/** A kind of business object, as declared. `key` names one or more of its fields, in order. */
export interface Entity {
  readonly name: string
  readonly key: readonly string[]
  readonly fields: readonly Field[]
  readonly class: EntityClass
  /** Who answers for this entity: a team or a person. */
  readonly owner: string
  /** How late a subscriber may be, in seconds. */
  readonly freshnessSeconds: number
}

/** Whether a key of this entity is data about a person. */
export function hasPersonalKey(entity: Entity): boolean {
  return entity.fields.some(({ name, personal }) => personal && entity.key.includes(name))
}
