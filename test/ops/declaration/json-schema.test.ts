import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { formatSchema, SCHEMA_FILE } from '../../../ops/declaration/json-schema.ts'
import { PIPELINE } from './pipelines.ts'

interface Schema {
  readonly type?: string
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Schema | false
  readonly propertyNames?: Schema
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly pattern?: string
  readonly minLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly minimum?: number
  readonly maximum?: number
}

/** Every keyword that {@link faults} understands, and those that say nothing about validity. */
const KEYWORDS = [
  ...[
    'type',
    'properties',
    'required',
    'additionalProperties',
    'propertyNames',
    'items',
    'anyOf',
    'oneOf',
    'const',
    'enum',
    'pattern',
  ],
  ...['minLength', 'minItems', 'maxItems', 'minimum', 'maximum'],
  ...['description', 'default', 'examples', 'title', '$schema'],
]

const committed = readFileSync(SCHEMA_FILE, 'utf8')
const schema = JSON.parse(committed) as Schema

/** Where a value does not fit a schema: enough of JSON Schema for the keywords above. */
function faults(value: unknown, schema: Schema, path = ''): readonly string[] {
  if (schema.anyOf) {
    const branches = schema.anyOf.map((branch) => faults(value, branch, path))
    return branches.some((branch) => branch.length === 0) ? [] : branches.flat()
  }
  if (schema.oneOf) {
    const branches = schema.oneOf.map((branch) => faults(value, branch, path))
    const fitting = branches.filter((branch) => branch.length === 0).length
    return fitting === 1 ? [] : [`${path}: fits ${fitting} of oneOf`, ...branches.flat()]
  }
  if (schema.const !== undefined && schema.const !== value) return [`${path}: not ${schema.const}`]
  const type = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value
  const expected = schema.type === 'integer' ? 'number' : schema.type
  if (expected !== undefined && type !== expected) return [`${path}: not ${schema.type}`]
  const found: string[] = []
  if (schema.enum && !schema.enum.includes(value)) found.push(`${path}: not in enum`)
  if (typeof value === 'string') {
    if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value)) found.push(`${path}: pattern`)
    if (value.length < (schema.minLength ?? 0)) found.push(`${path}: minLength`)
  }
  if (typeof value === 'number' && (value < (schema.minimum ?? value) || value > (schema.maximum ?? value)))
    found.push(`${path}: out of bounds`)
  if (Array.isArray(value)) {
    if (value.length < (schema.minItems ?? 0)) found.push(`${path}: minItems`)
    if (value.length > (schema.maxItems ?? value.length)) found.push(`${path}: maxItems`)
    if (schema.items)
      for (const [index, item] of value.entries()) found.push(...faults(item, schema.items, `${path}/${index}`))
  } else if (typeof value === 'object' && value !== null) {
    for (const name of schema.required ?? []) if (!Object.hasOwn(value, name)) found.push(`${path}: ${name} is missing`)
    for (const [name, inner] of Object.entries(value)) {
      if (schema.propertyNames) found.push(...faults(name, schema.propertyNames, `${path}/${name}`))
      const property = schema.properties?.[name] ?? schema.additionalProperties
      if (property === false) found.push(`${path}/${name}: unknown`)
      else if (property) found.push(...faults(inner, property, `${path}/${name}`))
    }
  }
  return found
}

/** Every schema inside a schema, with its place; `property` tells whether it stands at a name. */
function* inside(schema: Schema, path: string, property: boolean): Generator<readonly [string, Schema, boolean]> {
  yield [path, schema, property]
  for (const [name, inner] of Object.entries(schema.properties ?? {})) yield* inside(inner, `${path}/${name}`, true)
  if (schema.additionalProperties) yield* inside(schema.additionalProperties, `${path}/*`, false)
  if (schema.items) yield* inside(schema.items, `${path}/[]`, false)
  for (const branch of [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])]) yield* inside(branch, path, false)
}

describe('the JSON Schema for editors', () => {
  it('is the one that the definition gives: write it anew with `npx node ops/declaration/json-schema.ts`', () => {
    expect(committed).toBe(formatSchema())
  })

  it('describes every property', () => {
    const silent = [...inside(schema, '', false)].filter(([, inner, property]) => property && !inner.description)
    expect(silent.map(([path]) => path)).toEqual([])
  })

  it('uses only the keywords that these tests understand', () => {
    const used = [...inside(schema, '', false)].flatMap(([, inner]) => Object.keys(inner))
    expect([...new Set(used)].filter((keyword) => !KEYWORDS.includes(keyword))).toEqual([])
  })

  it('is fulfilled by the example of the repository', () => {
    expect(faults(parse(readFileSync('tributary.yaml', 'utf8')), schema)).toEqual([])
  })

  it('sees unknown fields, missing ones and broken values', () => {
    const value = parse(PIPELINE.replace(/\{ (\w+: )(\$\{\w+\}) \}/g, '{ $1"$2" }'))
    expect(faults(value, schema)).toEqual([])
    value.entities.customer.ownr = 'x'
    value.entities.customer.partitions = 0
    delete value.redis
    value.sources.ERP = value.sources.erp
    expect(faults(value, schema)).toEqual(
      expect.arrayContaining([
        ': redis is missing',
        '/entities/customer/ownr: unknown',
        '/entities/customer/partitions: out of bounds',
        '/sources/ERP: pattern',
      ]),
    )
  })
})
