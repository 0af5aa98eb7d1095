import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { definition } from './definition.ts'

/** The JSON Schema of `tributary.yaml` for editors, committed beside this file. Write it anew: `npx node ops/declaration/json-schema.ts`. */
export const SCHEMA_FILE = fileURLToPath(new URL('tributary.schema.json', import.meta.url))

type Schema = z.core.JSONSchema.BaseSchema

/** Draft 7: what the editors' YAML language server knows best. */
function declarationSchema(): Schema {
  return z.toJSONSchema(definition, {
    io: 'input',
    target: 'draft-7',
    override: ({ jsonSchema, path }) => {
      if (path.at(-1) !== 'propertyNames') allowReference(jsonSchema)
    },
  })
}

/** A number, a boolean or a restricted text may also be a reference: `replication: ${REPLICATION}`. */
function allowReference(schema: Schema): void {
  const restricted = schema.type === 'string' && (schema.pattern ?? schema.enum ?? schema.minLength) !== undefined
  const unlike = schema.type === 'integer' || schema.type === 'number' || schema.type === 'boolean'
  if (
    !unlike &&
    !(restricted && (schema.pattern !== undefined || schema.enum !== undefined || (schema.minLength ?? 0) > 1))
  )
    return
  const { description, default: initial, examples, $schema, ...rest } = schema
  for (const key of Object.keys(schema)) delete schema[key as keyof Schema]
  Object.assign(schema, {
    ...($schema !== undefined && { $schema }),
    ...(description !== undefined && { description }),
    ...(initial !== undefined && { default: initial }),
    ...(examples !== undefined && { examples }),
    anyOf: [rest, { type: 'string', pattern: '\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}' }],
  })
}

/** The text of the committed file. */
export function formatSchema(): string {
  return `${JSON.stringify({ title: 'tributary.yaml', ...declarationSchema() }, null, 2)}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(SCHEMA_FILE, formatSchema())
