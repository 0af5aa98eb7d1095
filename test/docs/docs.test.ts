import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkDeclaration } from '../../ops/declaration/declaration.ts'
import schema from '../../ops/declaration/tributary.schema.json' with { type: 'json' }
import { createMetrics } from '../../ops/metrics/metrics.ts'
import { COMMANDS_PAGE, formatCommandsPage } from '../../ops/reference/commands-page.ts'
import { ERRORS_PAGE, formatErrorsPage } from '../../ops/reference/errors-page.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { type CommandTree, commandTree } from './command-tree.ts'
import { anchorsOf, blocksOf, type Page, ROOT, readPages } from './pages.ts'

const pages = readPages()
const page = (path: string): Page => pages.find((one) => one.path === path)!
/** Every finding with the page it is on; an empty list is what is expected. */
const findings = (find: (one: Page) => readonly string[]) =>
  pages.flatMap((one) => find(one).map((finding) => `${one.path}: ${finding}`))

describe('links', () => {
  test('every relative link leads to a file, and to a heading in it', () => {
    expect(findings((one) => brokenLinks(one))).toEqual([])
  })

  test('every page can be reached from the README', () => {
    const reached = new Set(['README.md'])
    for (const path of reached)
      for (const target of linksOf(page(path)).map(({ file }) => file)) if (target.endsWith('.md')) reached.add(target)
    expect(pages.map(({ path }) => path).filter((path) => !reached.has(path))).toEqual([])
  })
})

function linksOf(one: Page): { file: string; anchor: string }[] {
  return [...one.text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [file, anchor = ''] = target.split('#') as [string, string?]
      return { file: file === '' ? one.path : normalize(join(dirname(one.path), file)), anchor }
    })
}

function brokenLinks(one: Page): string[] {
  return linksOf(one).flatMap(({ file, anchor }) => {
    if (!existsSync(ROOT + file)) return [`${file} does not exist`]
    const target = page(file)
    return anchor === '' || (target && anchorsOf(target).has(anchor)) ? [] : [`${file} has no heading #${anchor}`]
  })
}

describe('commands', () => {
  const program = commandTree()

  test('every `tributary …` names a command that exists, with flags that it has', () => {
    expect(findings((one) => one.code.flatMap((code) => unknownParts(program, code)))).toEqual([])
  })

  test('every flag that is named by itself is one of some command', () => {
    const known = new Set(['--help', ...flagsBelow(program)])
    const alone = (one: Page) => one.code.filter((code) => /^--[a-z-]+( |$)/.test(code))
    expect(findings((one) => alone(one).filter((code) => !known.has(code.split(' ')[0]!)))).toEqual([])
  })

  test('the README names every command', () => {
    const readme = page('README.md').code.join('\n')
    expect(program.commands.map(({ name }) => name).filter((name) => !readme.includes(`tributary ${name}`))).toEqual([])
  })

  test('every script that is named exists', () => {
    const named = (one: Page) =>
      one.code.flatMap((code) => [...code.matchAll(/npm run ([a-z]+)/g)].map(([, name]) => name!))
    expect(findings((one) => named(one).filter((name) => !(name in packageJson.scripts)))).toEqual([])
  })
})

function flagsBelow({ flags, commands }: CommandTree): string[] {
  return [...flags, ...commands.flatMap(flagsBelow)]
}

function unknownParts(program: CommandTree, code: string): string[] {
  const match = /^(?:npm run )?tributary (?:-- )?([a-z<].*)$/.exec(code.replace(/^tributary:.*/, ''))
  if (!match) return []
  let command = program
  for (const word of match[1]!.split(/\s+/)) {
    if (word.startsWith('#')) break
    const next = command.commands.find((one) => one.name === word)
    if (next) command = next
    else if (word.startsWith('-')) {
      if (!flagsBelow(command).includes(word)) return [`"${code}": ${command.name} has no ${word}`]
    } else if (command.commands.length > 0 && !/[<…]/.test(word)) return [`"${code}": no command ${word}`]
  }
  return []
}

test('the reference of the commands is that of the command line', () => {
  expect(readFileSync(COMMANDS_PAGE, 'utf8')).toBe(formatCommandsPage())
})

describe('names', () => {
  test('every metric that is named exists, and every one that exists is in the reference', async () => {
    const known = (await createMetrics().registry.getMetricsAsJSON()).map(({ name }) => name)
    const own = known.filter((name) => name.startsWith('tributary_'))
    const named = (one: Page) => [...one.text.matchAll(/tributary_[a-z_]+_(?:total|seconds|records)(?:_bucket)?\b/g)]
    expect(
      findings((one) =>
        named(one)
          .map(([name]) => name.replace(/_bucket$/, ''))
          .filter((name) => !own.includes(name)),
      ),
    ).toEqual([])
    const reference = page('docs/operating/metrics.md').text
    expect(own.filter((name) => !reference.includes(`| \`${name}\` |`))).toEqual([])
  })

  test('every file that is named exists', () => {
    const files = (one: Page) =>
      one.code.flatMap((code) =>
        [
          ...code.matchAll(/(?<![\w./-])(?:\.ci|schemas|connectors|producers|consumers|ops|test|docs)\/[\w./-]*\w/g),
        ].map(([path]) => path),
      )
    expect(
      findings((one) => files(one).filter((path) => !existsSync(ROOT + path) && !existsSync(`${ROOT}${path}.ts`))),
    ).toEqual([])
  })

  test('every code of a notice about a source has its row in what to do', () => {
    const sources = readdirSync(`${ROOT}connectors/postgres`, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(`${ROOT}connectors/postgres/${name}`, 'utf8'))
    const codes = sources.flatMap((text) => [...text.matchAll(/\bcode: '([a-z-]+)'/g)].map(([, code]) => code!))
    expect(codes.length).toBeGreaterThan(0)
    const text = page('docs/operating/what-to-do.md').text
    expect(codes.filter((code) => !text.includes(`| \`${code}\` `))).toEqual([])
  })

  test('every dependency has its row, with its version', () => {
    const rows = page('docs/decisions/dependencies.md').text.matchAll(/^\| `([^`]+)` \| ([\w.-]+) \|/gm)
    const documented = Object.fromEntries([...rows].map(([, name, version]) => [name, version]))
    expect(documented).toEqual({ ...packageJson.dependencies, ...packageJson.devDependencies })
  })

  test('the reference of the declaration has every key', () => {
    const reference = page('docs/declaration.md').code.join('\n')
    expect([...new Set(keysOf(schema))].filter((key) => !new RegExp(`\\b${key}\\b`).test(reference))).toEqual([])
  })
})

/** The names of all properties in a JSON Schema. */
function keysOf(node: unknown): string[] {
  if (typeof node !== 'object' || node === null) return []
  const { properties } = node as { properties?: object }
  const own = properties === undefined ? [] : Object.keys(properties)
  return [...own, ...Object.values(node).flatMap(keysOf)]
}

describe('content', () => {
  test('the error reference is the one that the catalogue gives: write it anew with `npx node ops/reference/errors-page.ts`', () => {
    expect(readFileSync(ERRORS_PAGE, 'utf8')).toBe(formatErrorsPage())
  })

  test('every pipeline that is shown is valid', () => {
    const written = pages
      .flatMap((one) => blocksOf(one, 'sh'))
      .flatMap((text) => [...text.matchAll(/<<'YAML'\n(.*?)^YAML$/gms)].map(([, document]) => document!))
    const shown = [...pages.flatMap((one) => blocksOf(one, 'yaml')), ...written].filter((text) =>
      text.startsWith('name:'),
    )
    expect(written.length).toBeGreaterThan(0)
    expect(shown.length).toBeGreaterThan(0)
    for (const text of shown) expect(checkDeclaration(text, 'README.md', ENVIRONMENT).problems).toEqual([])
  })

  test('nothing is unfinished, and nothing tells of the place it was written at', () => {
    const forbidden = /shared\/|\/work\b|TO-?DO\b|FIX-?ME\b/
    expect(findings((one) => one.text.split('\n').filter((line) => forbidden.test(line)))).toEqual([])
  })
})

const ENVIRONMENT = {
  TRIBUTARY_KAFKA_BROKERS: 'broker:9092',
  TRIBUTARY_REGISTRY_URL: 'http://registry:8081',
  TRIBUTARY_REDIS_URL: 'redis://redis:6379',
  TRIBUTARY_FINGERPRINT_KEY: 'at least thirty-two characters long',
  ERP_URL: 'postgres://erp/erp',
  SHOP_URL: 'postgres://shop/shop',
  WAREHOUSE_URL: 'postgres://warehouse/warehouse',
  KAFKA_PASSWORD: 'secret',
  REGISTRY_PASSWORD: 'secret',
  REDIS_PASSWORD: 'secret',
  ERP_PASSWORD: 'secret',
  WAREHOUSE_PASSWORD: 'secret',
}
