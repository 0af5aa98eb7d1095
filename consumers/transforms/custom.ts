import { TransformRefused } from '../../connectors/destination.ts'
import { AvroWriter } from '../../schemas/avro/bytes.ts'
import { writeNullable, writeValue } from '../../schemas/avro/write-value.ts'
import type { FieldType, Value } from '../../schemas/field-type.ts'
import { bounded, type Transform } from './transform.ts'

/**
 * A transform of the user's own: gets the values of the fields that `from` names, each in the canonical form of its type, and gives one of
 * the declared type. Pure: it may be called again for the same record, and always has to give the same.
 *
 *     export const normalizePhone: CustomTransform<[string | null], string | null> = (phone) => …
 */
export type CustomTransform<Values extends readonly Value[] = readonly Value[], Result extends Value = Value> = (
  ...values: Values
) => Result

/** The functions of a file, by name. Empty until the file was loaded. */
export type CustomFunctions = ReadonlyMap<string, CustomTransform>

/** What a custom transform throws is not passed on: it may hold values. */
export function custom(name: string, functions: CustomFunctions, type: FieldType): Transform {
  const write = writeValue(type)
  // It knows what fits a type; what it writes is thrown away.
  const writer = new AvroWriter()
  return (values) => {
    const run = functions.get(name)
    if (run === undefined) throw new Error(`the custom transform ${name} was not loaded`)
    const value = called(name, run, values)
    if (typeof value === 'string') bounded(value)
    writer.reset()
    const problem = writeNullable(writer, value, write)
    if (problem !== undefined) throw new TransformRefused(`what the custom transform ${name} gave ${problem}`)
    return value
  }
}

function called(name: string, run: CustomTransform, values: readonly Value[]): Value {
  try {
    const value: unknown = run(...values)
    if (value !== undefined) return value as Value
  } catch (error) {
    if (error instanceof TransformRefused) throw error
    throw new TransformRefused(`the custom transform ${name} failed`)
  }
  throw new TransformRefused(`the custom transform ${name} gave nothing; it may give null`)
}
