import { afterAll, beforeAll, expect, test } from 'vitest'
import { createFlow, type Flow, type FlowProcess, onLocalErp } from '../../support/flow.ts'
import { untilQuiet } from '../../support/quiet.ts'
import { type ComparedTable, differences } from '../../support/rows.ts'
import { readHistory } from '../../support/topics/topic-history.ts'

let flow: Flow
let running: FlowProcess

const entity = (name: string) => `
  ${name}:
    source: erp
    table: ${name}
    key: id
    owner: test
    freshness: 15m
    partitions: 2
    fields: { id: int64, title: string, body: string, notes: string }`

const declare = (prefix: string) =>
  `
${onLocalErp(prefix)}
entities:${entity('identity-full')}${entity('identity-default')}
subscribers:
  warehouse:
    type: warehouse
    url: "\${WAREHOUSE_URL}"
    entities: { identity-full:, identity-default: }
`.replaceAll(/table: (\S+)-(\S+)/g, 'table: $1_$2')

const NAMES = ['identity_full', 'identity_default'] as const
const TABLES: readonly ComparedTable[] = NAMES.map((name) => ({
  source: name,
  warehouse: name,
  key: ['id'],
  columns: ['id', 'title', 'body', 'notes'],
}))
/** Beyond what a row holds in place: such a value is left out of the log where it is unchanged. */
const TOASTED_CHARS = 20_000

beforeAll(async () => {
  const tables = NAMES.map(
    (name) => `
      CREATE TABLE ${name} (id bigint PRIMARY KEY, title text, body text, notes text);
      ALTER TABLE ${name} ALTER body SET STORAGE EXTERNAL, ALTER notes SET STORAGE EXTERNAL;
      INSERT INTO ${name} SELECT i, 'title', repeat(chr(96 + i), ${TOASTED_CHARS}), repeat('n', ${TOASTED_CHARS}) FROM generate_series(1, 9) i;`,
  )
  flow = await createFlow(declare, `${tables.join('')} ALTER TABLE identity_full REPLICA IDENTITY FULL`)
  await flow.provision()
  running = flow.start('run')
  await untilQuiet(flow)
})

afterAll(() => flow?.close())

test.each(NAMES)(
  '%s: a large value that a change does not touch stays, on the topic and at the warehouse',
  async (name) => {
    await flow.source.unsafe(`UPDATE ${name} SET title = 'other' WHERE id <= 3`)
    await flow.source.unsafe(`UPDATE ${name} SET id = 20 WHERE id = 3`)
    await flow.source.unsafe(`UPDATE ${name} SET notes = NULL WHERE id = 4`)
    await flow.source.unsafe(`UPDATE ${name} SET notes = 'short' WHERE id = 5`)
    // The change is published after the row has gone on, is gone, or is another one.
    const transactions = [
      [
        `UPDATE ${name} SET title = 'then' WHERE id = 6`,
        `UPDATE ${name} SET body = repeat('z', ${TOASTED_CHARS}) WHERE id = 6`,
      ],
      [`UPDATE ${name} SET title = 'then' WHERE id = 7`, `DELETE FROM ${name} WHERE id = 7`],
      [
        `UPDATE ${name} SET title = 'then' WHERE id = 8`,
        `DELETE FROM ${name} WHERE id = 8`,
        `INSERT INTO ${name} VALUES (8, 'new', 'small', NULL)`,
      ],
      [
        `UPDATE ${name} SET id = -9 WHERE id = 9`,
        `UPDATE ${name} SET id = 9 WHERE id = 1`,
        `UPDATE ${name} SET id = 1 WHERE id = -9`,
      ],
    ]
    for (const statements of transactions)
      await flow.source.begin(async (sql) => {
        for (const statement of statements) await sql.unsafe(statement)
      })
    await untilQuiet(flow)
    expect(await differences(flow, TABLES), running.log()).toEqual([])
    const histories = await readHistory(flow, name.replace('_', '-'))
    const bodies = [...histories.values()].flatMap((entries) => {
      const content = entries.at(-1)!.content
      return content === null ? [] : [(JSON.parse(content) as { body?: string }).body?.length]
    })
    expect(bodies.toSorted()).toEqual([...Array.from({ length: 7 }, () => TOASTED_CHARS), 5])
  },
)
