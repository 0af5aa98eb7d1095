import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { TransformRefused } from '../../../connectors/destination.ts'
import { checkDeclaration, type Declaration } from '../../../ops/declaration/declaration.ts'
import { formatProblem } from '../../../ops/declaration/problem.ts'
import { loadTransforms, transformProblems } from '../../../ops/declaration/subscribers/custom-transforms.ts'
import { changed, ENVIRONMENT } from './pipelines.ts'

const folder = mkdtempSync(join(tmpdir(), 'tributary-transforms-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A declaration beside a file of transforms; `normalize` fills a field of the warehouse. */
function declared(name: string, source: string | undefined): Declaration {
  if (source !== undefined) writeFileSync(join(folder, name), source)
  const text = changed(
    ['sources:\n', `transforms: ./${name}\nsources:\n`],
    ['full_name: name', 'full_name: { custom: normalize, from: [name, id], type: string }'],
  )
  const { declaration, problems } = checkDeclaration(text, join(folder, 'p.yaml'), ENVIRONMENT)
  expect(problems).toEqual([])
  return declaration!
}

const found = async (declaration: Declaration) =>
  (await transformProblems(declaration)).map((problem) => formatProblem(problem).replaceAll(folder, '…'))

const transformOf = (declaration: Declaration) =>
  declaration.subscribers.get('warehouse')!.mappings[0]!.fields.find(({ to }) => to === 'full_name')!.transform!

describe('custom transforms', () => {
  it('are called with the values of their fields, once their file is loaded', async () => {
    const declaration = declared(
      'sound.ts',
      `export const normalize = (name: string | null, id: bigint | null): string | null =>
        name === null ? null : name.trim().toUpperCase() + '-' + id\n`,
    )
    const transform = transformOf(declaration)
    expect(() => transform([' ada ', 7n])).toThrow('was not loaded')
    await loadTransforms(declaration)
    expect(transform([' ada ', 7n])).toBe('ADA-7')
    expect(transform([null, 7n])).toBeNull()
  })

  it('that throw refuse the record, without its values', async () => {
    const declaration = declared('throws.ts', 'export const normalize = (name) => { throw new Error(name) }\n')
    await loadTransforms(declaration)
    expect(() => transformOf(declaration)(['Ada', 7n])).toThrow(
      new TransformRefused('the custom transform normalize failed'),
    )
  })

  it.each<[title: string, name: string, source: string | undefined, found: string]>([
    [
      'a file that is missing',
      'missing.ts',
      undefined,
      '…/p.yaml:7:13: transforms: the file does not exist; the path begins where the declaration is',
    ],
    [
      'an export that is missing',
      'other.ts',
      'export const normalise = () => null\n',
      '…/p.yaml:35:58: subscribers.warehouse.entities.customer.fields.full_name.custom: the file of transforms exports no `normalize`; did you mean `normalise`?',
    ],
    [
      'an export that is no function',
      'value.ts',
      "export const normalize = 'x'\n",
      '…/p.yaml:35:58: subscribers.warehouse.entities.customer.fields.full_name.custom: the export `normalize` of the file of transforms is no function',
    ],
    [
      'a file that throws',
      'broken.ts',
      "throw new Error('no table of countries')\n",
      '…/p.yaml:7:13: transforms: the file cannot be loaded: Error: no table of countries',
    ],
  ])('%s is found in its place', async (_, name, source, line) => {
    const declaration = declared(name, source)
    expect(await found(declaration)).toEqual([line])
    await expect(loadTransforms(declaration)).rejects.toMatchObject({ code: 'declaration-invalid' })
  })
})
