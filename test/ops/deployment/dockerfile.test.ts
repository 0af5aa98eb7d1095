import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import packageJson from '../../../package.json' with { type: 'json' }
import { ROOT } from '../../docs/pages.ts'
import { COMMAND_ENV } from '../../support/first-line.ts'
import { isOurs, readCompose } from './compose-file.ts'

const lines = readFileSync(`${ROOT}Dockerfile`, 'utf8').replaceAll('\\\n', '').split('\n')
const instructions = (name: string) =>
  lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1).trim())
const stages = instructions('FROM').map((line) => line.split(' AS ') as [string, string])

test('the image has the Node that the repository is tested with, and an exact version of it', () => {
  const names = stages.map(([, name]) => name)
  const bases = stages.map(([base]) => base).filter((base) => !names.includes(base))
  expect([...new Set(bases)]).toEqual([`node:${packageJson.devDependencies.node}-bookworm-slim`])
})

test('it is the command line as `npm run tributary` starts it', () => {
  const [entrypoint] = instructions('ENTRYPOINT')
  expect((JSON.parse(entrypoint!) as string[]).join(' ')).toBe(packageJson.scripts.tributary)
  const [environment] = instructions('ENV')
  for (const [name, value] of Object.entries(COMMAND_ENV)) expect(environment).toContain(`${name}=${value}`)
})

test('nobody runs it as root, and a plain build gives the pipeline without the stand-ins', () => {
  const users = (stage: string) => [...stage.matchAll(/^USER (.*)$/gm)].map(([, user]) => user)
  expect(
    lines
      .join('\n')
      .split(/^FROM /m)
      .slice(-3)
      .map(users),
  ).toEqual([['1000:1000'], [], []])
  expect(stages.at(-1)).toEqual(['program', 'tributary'])
})

test('every stage that the compose file names is there', () => {
  const targets = Object.values(readCompose().services)
    .filter(isOurs)
    .map(({ build }) => build!.target)
  expect([...new Set(targets)].sort()).toEqual(['demo', 'tributary'])
  expect(targets.filter((target) => !stages.some(([, name]) => name === target))).toEqual([])
})

test('what it copies is there, and let through to it', () => {
  const copied = instructions('COPY')
    .filter((line) => !line.startsWith('--from'))
    .flatMap((line) => line.split(' ').slice(0, -1))
  const letThrough = readFileSync(`${ROOT}.dockerignore`, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('!'))
  expect(copied.filter((path) => !existsSync(ROOT + path))).toEqual([])
  expect(copied.sort()).toEqual(letThrough.map((line) => line.slice(1)).sort())
})

test('production packages are enough: only the double of the store needs one that the tests have, and its image has it', () => {
  const files = ['schemas', 'connectors', 'producers', 'consumers', 'ops'].flatMap((folder) =>
    readdirSync(ROOT + folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${folder}/${name}`),
  )
  const missing = files.flatMap((path) =>
    [
      ...readFileSync(ROOT + path, 'utf8').matchAll(
        /^(?:import|export) (?!type )[^;]*? from '([a-z@][^']*)'|^import '([a-z@][^']*)'/gm,
      ),
    ]
      .map(([, from, bare]) => (from ?? bare)!)
      .filter((name) => !name.startsWith('node:') && !(name in packageJson.dependencies))
      .map((name) => `${name}, by ${path.replace(/sandbox.*/, 'sandbox')}`),
  )
  expect([...new Set(missing)]).toEqual(['graphql, by connectors/shopify/sandbox'])
  expect(instructions('COPY')).toContain('--from=with-tools /app/node_modules/graphql node_modules/graphql')
  const { dependencies } = JSON.parse(readFileSync(`${ROOT}node_modules/graphql/package.json`, 'utf8')) as {
    dependencies?: object
  }
  expect(dependencies ?? {}).toEqual({})
})
