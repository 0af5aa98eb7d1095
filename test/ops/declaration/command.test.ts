import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { validateCommand } from '../../../ops/declaration/command.ts'
import { changed, ENVIRONMENT, PIPELINE } from './pipelines.ts'

const folder = mkdtempSync(join(tmpdir(), 'tributary-validate-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function validate(
  text: string | undefined,
  options: { arguments?: readonly string[]; isTerminal?: boolean; env?: Readonly<Record<string, string>> } = {},
): Promise<{ output: string; exitCode: number | undefined }> {
  const file = join(folder, text === undefined ? 'missing.yaml' : 'p.yaml')
  if (text !== undefined) writeFileSync(file, text)
  let output = ''
  let exitCode: number | undefined
  const command = validateCommand({
    env: { ...ENVIRONMENT, ...options.env },
    isTerminal: options.isTerminal ?? false,
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
