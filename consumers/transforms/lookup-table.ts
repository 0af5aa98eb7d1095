import { TransformRefused } from '../../connectors/destination.ts'
import type { FieldType, Value } from '../../schemas/field-type.ts'
import { textForm } from './text-form.ts'
import type { Transform } from './transform.ts'

/**
 * What a table has for a value, by its text. A null gives null.
 * @param otherwise what is taken where the table has nothing; undefined where there has to be something
 */
export function lookUp(type: FieldType, table: ReadonlyMap<string, Value>, otherwise: Value | undefined): Transform {
  return ([value]) => {
    if (value === null || value === undefined) return null
    const found = table.get(textForm(type, value))
    if (found !== undefined) return found
    if (otherwise !== undefined) return otherwise
    throw new TransformRefused('the lookup table has nothing for the value, and there is no default')
  }
}
