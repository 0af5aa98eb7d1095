import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import packageJson from '../../../package.json' with { type: 'json' }
import { CHART, ROOT } from './chart/render.ts'
import { type Schema, schemaFindings } from './chart/schema-findings.ts'
import { FULL } from './chart/values.ts'

const read = (path: string) => readFileSync(`${CHART}/${path}`, 'utf8')
const schema = JSON.parse(read('values.schema.json')) as Schema
const values = parse(read('values.yaml')) as object

test('the values that the chart comes with are as its schema says, and so are those of the tests', () => {
  expect(schemaFindings(schema, values)).toEqual([])
  expect(schemaFindings(schema, FULL)).toEqual([])
})

test('a value that nobody reads is refused, wherever it stands', () => {
  const misspelt = { replica: 2, sources: { erp: { replicas: 3 } }, keda: { minReplicas: 0 }, secrets: [''] }
  expect(schemaFindings(schema, misspelt)).toEqual([
    'values.replica is not known',
    'values.sources.erp.replicas is above 2',
    'values.keda.minReplicas is not known',
    'values.secrets[0] is too short',
  ])
})

test('every value that the schema knows is there to be read, with its default', () => {
  const { global: _, ...known } = schema.properties!
  expect(namesOf({ properties: known }, values)).toEqual([])
})

/** What a schema names and the values lack. */
function namesOf({ properties = {} }: Schema, present: object, path = ''): string[] {
  return Object.entries(properties).flatMap(([name, one]) => {
    const value = (present as Record<string, unknown>)[name]
    if (value === undefined) return [`${path}${name}`]
    return typeof value === 'object' && value !== null ? namesOf(one, value, `${path}${name}.`) : []
  })
}

test('its rules are those of Prometheus elsewhere: cp ops/prometheus/rules.yml ops/kubernetes/tributary/files/', () => {
  expect(read('files/rules.yml')).toBe(readFileSync(`${ROOT}ops/prometheus/rules.yml`, 'utf8'))
})

test('it is of the version that it starts', () => {
  const { version, appVersion } = parse(read('Chart.yaml')) as { version: string; appVersion: string }
  expect([version, appVersion]).toEqual([packageJson.version, packageJson.version])
})
