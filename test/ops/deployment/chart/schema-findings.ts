/** The part of JSON Schema that the chart's values are described with. */
export interface Schema {
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: boolean | Schema
  readonly items?: Schema
  readonly required?: readonly string[]
  readonly enum?: readonly unknown[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly pattern?: string
}

const KNOWN = [
  'type',
  'properties',
  'additionalProperties',
  'items',
  'required',
  'enum',
  'minimum',
  'maximum',
  'minLength',
]
const NOTES = ['pattern', '$schema', 'title']

/** What a value has that its schema does not allow, each with its path. Throws for a word of JSON Schema that it does not know. */
export function schemaFindings(schema: Schema, value: unknown, path = 'values'): readonly string[] {
  const unknown = Object.keys(schema).filter((word) => !KNOWN.includes(word) && !NOTES.includes(word))
  if (unknown.length > 0) throw new Error(`${path}: the schema says ${unknown.join(', ')}, which is not looked at`)
  const types = [schema.type ?? []].flat()
  if (types.length > 0 && !types.some((type) => isOf(type, value))) return [`${path} is no ${types.join(' or ')}`]
  return [...scalarFindings(schema, value, path), ...partFindings(schema, value, path)]
}

function isOf(type: string, value: unknown): boolean {
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value)
  if (type === 'integer') return Number.isInteger(value)
  return typeof value === type
}

function scalarFindings(schema: Schema, value: unknown, path: string): readonly string[] {
  const findings: string[] = []
  if (schema.enum !== undefined && !schema.enum.includes(value)) findings.push(`${path} is none of ${schema.enum}`)
  if (typeof value === 'number' && value < (schema.minimum ?? value))
    findings.push(`${path} is below ${schema.minimum}`)
  if (typeof value === 'number' && value > (schema.maximum ?? value))
    findings.push(`${path} is above ${schema.maximum}`)
  if (typeof value === 'string' && value.length < (schema.minLength ?? 0)) findings.push(`${path} is too short`)
  if (typeof value === 'string' && !new RegExp(schema.pattern ?? '').test(value))
    findings.push(`${path} is not like ${schema.pattern}`)
  return findings
}

function partFindings(schema: Schema, value: unknown, path: string): readonly string[] {
  if (Array.isArray(value))
    return value.flatMap((part, at) => (schema.items ? schemaFindings(schema.items, part, `${path}[${at}]`) : []))
  if (typeof value !== 'object' || value === null) return []
  const missing = (schema.required ?? []).filter((name) => !(name in value))
  return [
    ...missing.map((name) => `${path}.${name} is missing`),
    ...Object.entries(value).flatMap(([name, part]) => {
      const known = schema.properties?.[name] ?? schema.additionalProperties
      if (known === false) return [`${path}.${name} is not known`]
      return typeof known === 'object' ? schemaFindings(known, part, `${path}.${name}`) : []
    }),
  ]
}
