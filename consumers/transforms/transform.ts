import { type MappedField, TransformRefused } from '../../connectors/destination.ts'

/** Makes the value of a destination field from those of the entity's fields. Pure. */
export type Transform = NonNullable<MappedField['transform']>

/** The most characters that a transform may make: a record at fault must not fill the memory of whoever delivers it. */
export const TEXT_CHARACTERS_MAX = 262_144

/** @throws TransformRefused when the text is longer than {@link TEXT_CHARACTERS_MAX} */
export function bounded(text: string): string {
  if (text.length > TEXT_CHARACTERS_MAX)
    throw new TransformRefused(`the text is longer than ${TEXT_CHARACTERS_MAX} characters`)
  return text
}
