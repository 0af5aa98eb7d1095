import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { checkDeclaration } from '../../../ops/declaration/declaration.ts'
import { formatProblem } from '../../../ops/declaration/problem.ts'
import { SUBSCRIBER_TYPES } from '../../../ops/declaration/subscribers/kinds.ts'
import { insertSubscriber, readPipeline } from '../../../ops/declaration/yaml/insert-subscriber.ts'
import { draftSubscriber, exampleEnvironment } from '../../../ops/subscriber/draft.ts'
import { expectError, runCli } from '../../support/cli.ts'
import { ENVIRONMENT, PIPELINE } from '../declaration/pipelines.ts'

/** The entities of the example of the repository, with one subscriber. */
const EXAMPLE = readFileSync('tributary.yaml', 'utf8').replace(
  /^subscribers:[\s\S]*/m,
  'subscribers:\n  warehouse:\n    type: warehouse\n    url: postgres://warehouse/warehouse\n    entities: { customer: }\n',
)
const EXAMPLE_ENVIRONMENT = {
  TRIBUTARY_KAFKA_BROKERS: 'broker:9092',
  TRIBUTARY_REGISTRY_URL: 'http://registry:8081',
  TRIBUTARY_REDIS_URL: 'redis://redis:6379',
  TRIBUTARY_FINGERPRINT_KEY: 'at least thirty-two characters long',
  ERP_URL: 'postgres://erp/erp',
}

/** The lines of a text that another one lacks, when that has all the others in the same order. */
function added(before: string, after: string): readonly string[] {
  const left = before.split('\n')
  const more = after.split('\n').filter((line) => {
    if (left[0] !== line) return true
    left.shift()
    return false
  })
  expect(left).toEqual([])
  return more
}

describe('a subscriber that is written', () => {
  it.each(SUBSCRIBER_TYPES)(
    'of type %s is valid once its variables are set, and leaves the rest of the file alone',
    (type) => {
      const { entities } = readPipeline(EXAMPLE)!
      const { lines, variables } = draftSubscriber('new-one', type, entities)
      const { text, line } = insertSubscriber(EXAMPLE, lines)!
      expect(text.split('\n')[line - 1]).toBe('  new-one:')
      expect(added(EXAMPLE, text).length).toBeGreaterThanOrEqual(lines.length)
      const env = { ...EXAMPLE_ENVIRONMENT, ...exampleEnvironment('new-one', type) }
      const { declaration, problems } = checkDeclaration(text, 'p.yaml', env)
      expect(problems.map(formatProblem)).toEqual([])
      expect(declaration!.subscribers.get('new-one')!.type).toBe(type)
      expect(variables.every((variable) => variable in env)).toBe(true)
    },
  )

  it('has its secrets in the environment, its fields, and marks those about people', () => {
    const { lines, variables } = draftSubscriber('crm', 'dataverse', readPipeline(PIPELINE)!.entities)
    expect(variables).toEqual(['CRM_URL', 'CRM_TENANT', 'CRM_CLIENT_ID', 'CRM_CLIENT_SECRET'])
    expect(lines.join('\n')).toBe(`crm:
  type: dataverse
  url: \${CRM_URL} # such as https://contoso.crm4.dynamics.com
  tenant: \${CRM_TENANT} # the id or domain of the Entra ID tenant
  clientId: \${CRM_CLIENT_ID} # of the application that is registered for tributary
  clientSecret: \${CRM_CLIENT_SECRET} # or CRM_CLIENT_SECRET_FILE names a file with it
  # concurrency: 16 # 1 to 1000
  onDelete: hard # or soft, ignore
  entities:
    customer:
      target: customers # the entity set, such as accounts
      key: id # what holds id there
      fields: # destination field: entity field
        id: id
        name: name # personal
        extra: extra
    order-line:
      target: order_lines # the entity set, such as accounts
      key: [order_id, line] # what holds order_id, line there
      fields: # destination field: entity field
        order_id: order_id
        line: line`)
  })

  it('leaves out what the kind cannot take, and says why', () => {
    const { leftOut } = draftSubscriber('shop', 'shopify', readPipeline(PIPELINE)!.entities)
    expect(leftOut).toEqual([{ entity: 'order-line', reason: expect.stringContaining('nothing like it in a store') }])
  })
})

describe('the place of a subscriber', () => {
  const BLOCK = ['b:', '  type: warehouse']
  it.each<[title: string, before: string, after: string, line: number]>([
    [
      'behind the last one',
      'subscribers:\n  a:\n    x: 1\n',
      'subscribers:\n  a:\n    x: 1\n\n  b:\n    type: warehouse\n',
      5,
    ],
    [
      'with the indentation of the others, and before what follows',
      'subscribers:\n    a:\n        x: 1 # one\n        # about a\n\n# about the rest\nrest: 2\n',
      'subscribers:\n    a:\n        x: 1 # one\n        # about a\n\n    b:\n      type: warehouse\n\n# about the rest\nrest: 2\n',
      6,
    ],
    [
      'behind one without a line break',
      'subscribers:\n  a: { x: 1 }',
      'subscribers:\n  a: { x: 1 }\n\n  b:\n    type: warehouse\n',
      4,
    ],
    [
      'in a section that is empty',
      'subscribers: # none\nrest: 1\n',
      'subscribers: # none\n  b:\n    type: warehouse\nrest: 1\n',
      2,
    ],
    ['in braces that are empty', 'subscribers: {} # none\n', 'subscribers:\n  b:\n    type: warehouse\n # none\n', 2],
    ['at the end, where there is no section', 'a: 1\n', 'a: 1\n\nsubscribers:\n  b:\n    type: warehouse\n', 4],
  ])('is %s', (_, before, after, line) => {
    expect(insertSubscriber(before, BLOCK)).toEqual({ text: after, line })
  })

  it.each(['subscribers: { a: { x: 1 } }\n', 'subscribers: [a]\n', '- a\n', 'a: [\n'])('is not found in %j', (text) => {
    expect(insertSubscriber(text, BLOCK)).toBeUndefined()
  })
})

describe('tributary subscriber new', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-subscriber-'))
  const file = join(folder, 'tributary.yaml')
  const env = { PATH: process.env.PATH, ...ENVIRONMENT }
  afterAll(() => rmSync(folder, { recursive: true }))

  it('writes it, and says what to set and to run; prints it with --print', async () => {
    writeFileSync(file, PIPELINE)
    const printed = await runCli(['subscriber', 'new', 'crm', '--type', 'dataverse', '--print', '-f', file], env)
    expect([printed.code, printed.stderr, readFileSync(file, 'utf8')]).toEqual([0, '', PIPELINE])
    expect(printed.stdout).toMatch(/^crm:\n {2}type: dataverse\n/)
    const written = await runCli(
      ['subscriber', 'new', 'crm', '--type', 'dataverse', '--entities', 'customer', '-f', file],
      env,
    )
    expect([written.code, written.stderr]).toEqual([0, ''])
    expect(written.stdout).toBe(`Wrote subscriber crm to ${file}:37.

Set these in its environment:
  CRM_URL
  CRM_TENANT
  CRM_CLIENT_ID
  CRM_CLIENT_SECRET

Then set targets, keys and fields right in ${file}, and run
  tributary validate
  tributary provision
  tributary deliver crm
`)
    expect(readFileSync(file, 'utf8').startsWith(PIPELINE)).toBe(true)
    expect(readFileSync(file, 'utf8')).not.toContain('order_lines:')
    await expectError(['subscriber', 'new', 'crm', '--type', 'http', '-f', file], env, {
      code: 'declaration-invalid',
      exitCode: 2,
      says: ['There is a subscriber crm', 'choose another name'],
    })
  })

  it('refuses a kind and an entity that are not there', async () => {
    writeFileSync(file, PIPELINE)
    await expectError(['subscriber', 'new', 'x', '--type', 'hubspot', '-f', file], env, {
      code: 'usage',
      exitCode: 2,
      says: ['Allowed choices are warehouse, dataverse'],
    })
    await expectError(['subscriber', 'new', 'x', '--type', 'http', '--entities', 'customer,invoice', '-f', file], env, {
      code: 'declaration-invalid',
      exitCode: 2,
      says: ['There is no entity invoice', 'declared: customer, order-line'],
    })
    expect(readFileSync(file, 'utf8')).toBe(PIPELINE)
  })
})
