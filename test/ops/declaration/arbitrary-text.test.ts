// biome-ignore-all lint/suspicious/noTemplateCurlyInString: declarations refer to the environment in this form
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkDeclaration } from '../../../ops/declaration/declaration.ts'
import { formatProblem } from '../../../ops/declaration/problem.ts'
import { formatFindings } from '../../../ops/declaration/report/findings.ts'
import { ENVIRONMENT, PIPELINE } from './pipelines.ts'

const LOOK = { colour: false }

/** Pieces that mean something to YAML or to the declaration, so that random texts get further than the first character. */
const PIECES = [
  ...['name', 'sources', 'entities', 'subscribers', 'customer', 'erp', 'fields', 'key', 'table', 'url', 'topics'],
  ...[
    ':',
    ': ',
    '\n',
    '\n  ',
    '\n    ',
    '- ',
    '{ ',
    ' }',
    '[',
    ']',
    ', ',
    '"',
    "'",
    '|\n',
    '&a ',
    '*a',
    '!!str ',
    '<<: ',
  ],
  ...[
    '${ERP_URL}',
    '${NOPE}',
    '${',
    '$$',
    '# ',
    '---\n',
    '? ',
    '%YAML 1.1\n',
    '\t',
    '\u0000',
    '\uE001',
    '\uFEFF',
    '\r\n',
    '🙂',
  ],
  ...['__proto__', 'constructor', 'int64', 'decimal(', '15m', '0', 'null', 'true', '.nan', '0x1F', '~'],
]
const yamlLike = fc.array(fc.constantFrom(...PIECES), { maxLength: 60 }).map((pieces) => pieces.join(''))

/** The sound pipeline with one stretch of it replaced. */
const damaged = fc
  .tuple(fc.nat(PIPELINE.length), fc.nat(40), fc.oneof(yamlLike, fc.string({ unit: 'binary' })))
  .map(([start, length, text]) => PIPELINE.slice(0, start) + text + PIPELINE.slice(start + length))

function expectFindings(text: string): void {
  const { declaration, problems } = checkDeclaration(text, 'p.yaml', ENVIRONMENT)
  expect(declaration === undefined).toBe(problems.length > 0)
  const lines = text.split(/\r\n|\r|\n/).length
  for (const problem of problems) {
    expect(problem.message).not.toBe('')
    expect(problem.line).toBeGreaterThanOrEqual(1)
    expect(problem.line).toBeLessThanOrEqual(lines + 1)
    expect(problem.column).toBeGreaterThanOrEqual(1)
    expect(formatProblem(problem)).not.toMatch(/\n|undefined|\[object/)
  }
  if (problems.length > 0) formatFindings(problems, text, LOOK)
}

describe('whatever the text', () => {
  it('answers with findings and throws nothing: any characters', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), expectFindings), { numRuns: 300 })
  })

  it('answers with findings and throws nothing: pieces of YAML', () => {
    fc.assert(fc.property(yamlLike, expectFindings), { numRuns: 600 })
  })

  it('answers with findings and throws nothing: a sound file with one damage', () => {
    fc.assert(fc.property(damaged, expectFindings), { numRuns: 400 })
  })

  it.each([
    ['nothing', '', '1:1: the file is empty; begin with `name: …`; `tributary.yaml` of the project is an example'],
    [
      'a list',
      '- a',
      '1:1: the file is not a mapping; begin with `name: …`; `tributary.yaml` of the project is an example',
    ],
    [
      'a mebibyte and a byte',
      ' '.repeat(1_048_577),
      '1:1: the file is larger than 1 MiB; a declaration is far smaller; is this the right file?',
    ],
    [
      'characters that stand for references inside',
      'a: \uE024',
      '1:1: the file holds private-use characters (U+E000 to U+E07F); remove them',
    ],
    [
      'more values than a declaration needs',
      `b:\n${'- 1\n'.repeat(100_001)}`,
      '100000:3: b[99998]: the file has more than 100000 values',
    ],
  ])('is bounded: %s', (_, text, found) => {
    const { problems } = checkDeclaration(text, 'p.yaml', ENVIRONMENT)
    expect(problems.map(formatProblem)).toEqual([`p.yaml:${found}`])
  })

  it('is bounded: aliases that multiply', () => {
    const lines = Array.from({ length: 12 }, (_, level) => {
      const inner = level === 0 ? 'x' : `*l${level - 1}`
      return `l${level}: &l${level} [${Array.from({ length: 9 }, () => inner).join(', ')}]`
    })
    const { problems } = checkDeclaration(lines.join('\n'), 'p.yaml', ENVIRONMENT)
    expect(problems.map((problem) => problem.message)).toEqual(['the file has more than 100 aliases'])
  })

  it('is bounded: nesting', () => {
    const { problems } = checkDeclaration(`a: ${'['.repeat(40)}${']'.repeat(40)}`, 'p.yaml', ENVIRONMENT)
    expect(problems.map((problem) => problem.message)).toEqual(['the file is nested deeper than 32 levels'])
  })

  it('is bounded: references that multiply', () => {
    const text = `a: "${'${LONG}'.repeat(1000)}"`
    const { problems } = checkDeclaration(text, 'p.yaml', { LONG: 'x'.repeat(10_000) })
    expect(problems.map((problem) => problem.message)).toEqual(['the expanded references are longer than 1 MiB'])
  })
})
