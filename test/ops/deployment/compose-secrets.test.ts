import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { SANDBOX_CLIENT } from '../../../connectors/odata/sandbox-rules.ts'
import { SANDBOX_TOKEN } from '../../../connectors/shopify/sandbox.ts'
import { checkDeclaration } from '../../../ops/declaration/declaration.ts'
import { ROOT } from '../../docs/pages.ts'
import { readCompose, type Service, secretsOf } from './compose-file.ts'

const compose = readCompose()
let folder: string

beforeEach(() => {
  const above = mkdtempSync(join(tmpdir(), 'tributary-secrets-'))
  folder = join(above, 'secrets')
  onTestFinished(() => rmSync(above, { recursive: true }))
})

const make = () => execFileSync('sh', [`${ROOT}ops/compose/secrets.sh`, folder])
const secret = (name: string) => readFileSync(join(folder, name), 'utf8').trimEnd()

test('every secret is made, in a folder that only its owner may enter', () => {
  make()
  expect(readdirSync(folder).sort()).toEqual(Object.keys(compose.secrets).sort())
  expect(statSync(folder).mode & 0o777).toBe(0o700)
  // A container reads them as a user of its own.
  for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o644)
})

test('what is there stays, and the addresses have its password', () => {
  make()
  const before = readdirSync(folder).map((name) => [name, secret(name)])
  make()
  expect(readdirSync(folder).map((name) => [name, secret(name)])).toEqual(before)
  rmSync(join(folder, 'erp_url'))
  rmSync(join(folder, 'postgres_password'))
  writeFileSync(join(folder, 'postgres_password'), 'mine\n')
  make()
  expect(secret('erp_url')).toBe('postgres://postgres:mine@postgres:5432/erp')
})

test('the secrets of the stand-ins are theirs', () => {
  make()
  expect(secret('crm_client_secret')).toBe(SANDBOX_CLIENT.clientSecret)
  expect(secret('store_token')).toBe(SANDBOX_TOKEN)
  expect(compose.services.exporter!.environment.CRM_CLIENT_ID).toBe(SANDBOX_CLIENT.clientId)
})

const apps = Object.entries(compose.services).filter(([, { profiles }]) => profiles[0] === 'apps')

test.each(apps)('with them and its environment, %s finds the declaration right', (_name, service) => {
  make()
  expect(problemsWith(service, service.environment)).toEqual([])
})

test('every variable that a service of the pipeline is given is one that the declaration reads', () => {
  make()
  const text = readFileSync(`${ROOT}tributary.yaml`, 'utf8')
  const names = apps.flatMap(([, { environment }]) =>
    Object.keys(environment).map((name) => name.replace(/_FILE$/, '')),
  )
  expect([...new Set(names)].filter((name) => !new RegExp(`\\$\\{${name}(:-|\\})`).test(text))).toEqual([])
})

function problemsWith(service: Service, environment: Service['environment']) {
  const files = new Map(secretsOf(service).map(({ source, path }) => [path, source]))
  const env = Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, String(value)]))
  const read = (path: string) => `${secret(files.get(path)!)}\n`
  return checkDeclaration(readFileSync(`${ROOT}tributary.yaml`, 'utf8'), 'tributary.yaml', env, read).problems
}
