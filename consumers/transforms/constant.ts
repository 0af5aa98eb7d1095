import type { Value } from '../../schemas/field-type.ts'
import type { Transform } from './transform.ts'

/** The same value for every object, whatever it has. */
export function constant(value: Value): Transform {
  return () => value
}
