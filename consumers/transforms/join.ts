import type { FieldType } from '../../schemas/field-type.ts'
import { textForm } from './text-form.ts'
import { bounded, type Transform } from './transform.ts'

/** Texts one after the other. Nulls are left out with their separator; when all are null, so is the result. */
export function join(types: readonly FieldType[], separator: string): Transform {
  return (values) => {
    const parts = values.flatMap((value, at) => (value === null ? [] : [textForm(types[at]!, value)]))
    return parts.length === 0 ? null : bounded(parts.join(separator))
  }
}
