import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import type { Destination } from '../../../connectors/destination.ts'
import type { SourceExamination, TableExamination } from '../../../connectors/postgres/examine.ts'
import { validateCommand } from '../../../ops/declaration/command.ts'
import { checkDeclaration } from '../../../ops/declaration/declaration.ts'
import { examineSubscribers } from '../../../ops/declaration/examine-subscribers.ts'
import type { SubscriberExamination } from '../../../ops/declaration/report/subscribers.ts'
import { TributaryError } from '../../../schemas/errors.ts'
import { changed, ENVIRONMENT, PIPELINE } from './pipelines.ts'

const folder = mkdtempSync(join(tmpdir(), 'tributary-validate-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function validate(
  text: string | undefined,
  options: {
    arguments?: readonly string[]
    isTerminal?: boolean
    env?: Readonly<Record<string, string>>
    sources?: readonly SourceExamination[]
    subscribers?: readonly SubscriberExamination[]
  } = {},
): Promise<{ output: string; exitCode: number | undefined }> {
  const file = join(folder, text === undefined ? 'missing.yaml' : 'p.yaml')
  if (text !== undefined) writeFileSync(file, text)
  let output = ''
  let exitCode: number | undefined
  const command = validateCommand({
    env: { ...ENVIRONMENT, ...options.env },
    isTerminal: options.isTerminal ?? false,
    examine: async () => options.sources ?? [],
    examineSubscribers: async () => options.subscribers ?? [],
    write: (part) => {
      output += part
    },
    exit: (code) => {
      exitCode = code
    },
  })
  await command.parseAsync(['-f', file, ...(options.arguments ?? [])], { from: 'user' })
  return { output: output.replaceAll(folder, '…'), exitCode }
}

const BROKEN = changed(['owner: sales', 'ownr: sales'], ['full_name: name', 'full_name: nam'])

describe('tributary validate', () => {
  it('shows what a sound pipeline holds and what to do next', async () => {
    const { output, exitCode } = await validate(PIPELINE)
    expect(output).toBe(`✓ …/p.yaml is valid: pipeline acme

sources
  erp  postgres  2 entities  slot tributary_acme_erp

entities
  customer    3 fields  standard  fresh within 15m  owner sales   key id
  order-line  2 fields  standard  fresh within 30s  owner orders  key order_id, line

subscribers
  warehouse  warehouse  customer, order-line

Next: tributary provision makes the topics, schemas and tables it needs.
`)
    expect(exitCode).toBe(0)
  })

  it('shows each finding with its line and a caret, and how many there are', async () => {
    const { output, exitCode } = await validate(BROKEN)
    expect(output).toBe(`…/p.yaml:12:3  entities.customer.owner
  \`owner\` is missing
  → it must be the team or person who answers for this entity
  12 |   customer:
     |   ^^^^^^^^

…/p.yaml:16:5  entities.customer.ownr
  unknown field \`ownr\`
  → did you mean \`owner\`?
  16 |     ownr: •••••
     |     ^^^^

…/p.yaml:34:48  subscribers.warehouse.entities.customer.fields.full_name
  the entity has no field \`nam\`
  → did you mean \`name\`?
  34 |       customer: { fields: { id: id, full_name: nam } }
     |                                                ^^^

3 problems in …/p.yaml. Nothing was started or changed.
`)
    expect(exitCode).toBe(2)
  })

  it('keeps to 100 columns, and to the place of the finding in a long line', async () => {
    const fields = Array.from({ length: 40 }, (_, index) => `field_${index}: string`).join(', ')
    const { output } = await validate(
      changed(['line: int32 }', `line: int32, ${fields}, last: strin, ${fields.replaceAll('d_', 'e_')} }`]),
    )
    for (const line of output.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
    const lines = output.split('\n')
    const excerpt = lines.findIndex((line) => line.includes('last: strin'))
    expect(lines[excerpt]!.slice(lines[excerpt + 1]!.indexOf('^')).startsWith('strin,')).toBe(true)
  })

  it('writes the first hundred findings and how many more there are', async () => {
    const fields = Array.from({ length: 130 }, (_, index) => `f${index}: strin`).join(', ')
    const { output } = await validate(changed(['line: int32 }', `line: int32, ${fields} }`]))
    expect(output.match(/unknown type/g)).toHaveLength(100)
    expect(output).toContain('and 30 more: --json lists them all\n\n130 problems in')
  })

  it('colours on a terminal only, and not where NO_COLOR is set', async () => {
    const plain = (await validate(BROKEN)).output
    const coloured = (await validate(BROKEN, { isTerminal: true })).output
    expect(coloured).not.toBe(plain)
    expect(stripVTControlCharacters(coloured)).toBe(plain)
    expect((await validate(BROKEN, { isTerminal: true, env: { NO_COLOR: '1' } })).output).toBe(plain)
  })

  it('says in one sentence that the file is missing', async () => {
    expect(await validate(undefined)).toEqual({
      output: '…/missing.yaml does not exist: run this where it is, or name it with --file.\n',
      exitCode: 2,
    })
  })

  it('answers --json with one object: the problems', async () => {
    const { output, exitCode } = await validate(BROKEN, { arguments: ['--json'], isTerminal: true })
    const answer = JSON.parse(output)
    expect(answer).toMatchObject({ ok: false, file: '…/p.yaml' })
    expect(answer.problems[1]).toEqual({
      file: '…/p.yaml',
      line: 16,
      column: 5,
      path: 'entities.customer.ownr',
      message: 'unknown field `ownr`',
      suggestion: 'did you mean `owner`?',
    })
    expect(exitCode).toBe(2)
  })

  it('answers --json with one object: the summary, without secrets', async () => {
    const { output, exitCode } = await validate(PIPELINE, { arguments: ['--json'] })
    expect(JSON.parse(output)).toMatchObject({
      ok: true,
      problems: [],
      summary: { name: 'acme', subscribers: [{ name: 'warehouse', entities: ['customer', 'order-line'] }] },
    })
    for (const secret of [...Object.values(ENVIRONMENT), 's3cret']) expect(output).not.toContain(secret)
    expect(exitCode).toBe(0)
  })

  it('answers --json with one object: a missing file', async () => {
    const { output, exitCode } = await validate(undefined, { arguments: ['--json'] })
    expect(JSON.parse(output).problems).toHaveLength(1)
    expect(exitCode).toBe(2)
  })
})

const TABLE: TableExamination = {
  entity: 'customer',
  table: 'public.customers',
  key: ['id'],
  identity: {
    identity: 'full',
    changedFields: 'known',
    unchangedLargeValues: 'from the log',
    updatesAndDeletes: 'identified',
  },
  findings: [],
  notes: [],
}
const REACHED = { name: 'erp', unreachable: null, findings: [], tables: [TABLE] }

describe("tributary validate, with the sources' databases", () => {
  it('says for each entity what its replica identity means, in 100 columns', async () => {
    const nothing = {
      identity: 'nothing',
      changedFields: 'not known',
      unchangedLargeValues: 'read from the table',
      updatesAndDeletes: 'refused by the server',
    } as const
    const finding = `the log does not say which row of order_lines an update or delete is about: its replica identity is empty. Run: ALTER TABLE order_lines REPLICA IDENTITY FULL`
    const lines: TableExamination = {
      ...TABLE,
      entity: 'order-line',
      table: 'public.order_lines',
      key: ['order_id', 'line'],
      identity: nothing,
      findings: [finding],
      notes: ['rows of old_lines, which inherit from public.order_lines, are not captured with it'],
    }
    const { output, exitCode } = await validate(PIPELINE, { sources: [{ ...REACHED, tables: [TABLE, lines] }] })
    expect(output.slice(output.indexOf('database of'))).toBe(`database of erp
  customer    table public.customers, key id, identity full
              ✓ updates say which fields changed
              ✓ large values that did not change come from the log
              ✓ updates and deletes say which row they are about
  order-line  table public.order_lines, key order_id, line, identity nothing
              ! updates do not say which fields changed; subscribers compare all of them
              ! large values that did not change are read from the table again
              ! the server refuses every UPDATE and DELETE of the table once it is published
              ! rows of old_lines, which inherit from public.order_lines, are not captured with it
              ✗ the log does not say which row of order_lines an update or delete is about: its
                replica identity is empty. Run: ALTER TABLE order_lines REPLICA IDENTITY FULL

1 finding at the sources. Set them right there, or change the declaration; then tributary provision.
`)
    for (const line of output.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
    expect(exitCode).toBe(1)
    const json = await validate(PIPELINE, { arguments: ['--json'], sources: [{ ...REACHED, tables: [lines] }] })
    expect(JSON.parse(json.output)).toMatchObject({
      ok: false,
      error: { code: 'source-unsuitable', message: `erp: ${finding}` },
      summary: { name: 'acme' },
      sources: [{ name: 'erp', tables: [{ entity: 'order-line', identity: nothing }] }],
    })
    expect(json.exitCode).toBe(1)
  })

  it('warns of a database that does not answer, and is content', async () => {
    const sources = [{ ...REACHED, unreachable: 'PostgreSQL does not answer', tables: [] }]
    const { output, exitCode } = await validate(PIPELINE, { sources })
    expect(output).toContain(
      'database of erp\n  ! not checked: PostgreSQL does not answer\n\nNext: tributary provision',
    )
    expect(exitCode).toBe(0)
    expect(JSON.parse((await validate(PIPELINE, { arguments: ['--json'], sources })).output)).toMatchObject({
      ok: true,
      sources: [{ unreachable: 'PostgreSQL does not answer' }],
    })
  })

  it('asks no database with --offline, and says nothing of them', async () => {
    const { output, exitCode } = await validate(PIPELINE, {
      arguments: ['--offline', '--json'],
      sources: [{ ...REACHED, findings: ['wal_level is replica'] }],
    })
    expect(JSON.parse(output)).not.toHaveProperty('sources')
    expect(exitCode).toBe(0)
  })
})

const CRM: SubscriberExamination = { name: 'crm', type: 'dataverse', unreachable: null, findings: [] }

describe('tributary validate, with the systems of subscribers', () => {
  it('says what does not fit there, in 100 columns, and ends with 1', async () => {
    const finding =
      'accounts: table account has no alternate key of erp_id: define it, or name the columns of one that is there'
    const subscribers = [
      { ...CRM, findings: [finding] },
      { ...CRM, name: 'other' },
    ]
    const { output, exitCode } = await validate(PIPELINE, { subscribers })
    expect(output.slice(output.indexOf('\nsubscriber crm'))).toBe(`
subscriber crm (dataverse)
  ✗ accounts: table account has no alternate key of erp_id: define it, or name the columns of one
    that is there

subscriber other (dataverse)
  ✓ every mapping fits what is there

1 finding at the subscribers. Set them right there, or change the declaration; then tributary
provision.
`)
    expect(exitCode).toBe(1)
    const json = await validate(PIPELINE, { arguments: ['--json'], subscribers })
    expect(JSON.parse(json.output)).toMatchObject({
      ok: false,
      error: { code: 'destination-unsuitable', message: `crm: ${finding}` },
      subscribers: [{ name: 'crm' }, { name: 'other', findings: [] }],
    })
  })

  it('warns of one that does not answer, and is content', async () => {
    const { output, exitCode } = await validate(PIPELINE, { subscribers: [{ ...CRM, unreachable: 'no connection' }] })
    expect(output).toContain('subscriber crm (dataverse)\n  ! not checked: no connection\n\nNext: tributary provision')
    expect(exitCode).toBe(0)
  })

  it('asks all but warehouses, whose tables are made, and closes what it opened', async () => {
    const hook = '  hook: { type: http, url: "https://hook.example", entities: { customer: { target: customers } } }\n'
    const { declaration } = checkDeclaration(`${PIPELINE}${hook}`, 'p.yaml', ENVIRONMENT)
    let closed = 0
    const opened = (plan: () => Promise<readonly string[]>) =>
      examineSubscribers(declaration!, () => ({ plan, close: async () => void closed++ }) as unknown as Destination)
    const away = async () => {
      throw new TributaryError('destination-unreachable', 'it is away')
    }
    const refused = async () => {
      throw new TributaryError('destination-unsuitable', 'it refuses the credentials')
    }
    const answer = { name: 'hook', type: 'http', unreachable: null, findings: [] }
    expect(await opened(async () => [])).toEqual([answer])
    expect(await opened(away)).toEqual([{ ...answer, unreachable: 'it is away' }])
    expect(await opened(refused)).toEqual([{ ...answer, findings: ['it refuses the credentials'] }])
    expect(closed).toBe(3)
  })
})
