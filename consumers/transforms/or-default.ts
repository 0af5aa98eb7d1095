import type { Value } from '../../schemas/field-type.ts'
import type { Transform } from './transform.ts'

/** @param transform null for the value as it is; where it gives null, `otherwise` is taken */
export function orDefault(transform: Transform | null, otherwise: Value): Transform {
  return (values) => (transform === null ? values[0]! : transform(values)) ?? otherwise
}
