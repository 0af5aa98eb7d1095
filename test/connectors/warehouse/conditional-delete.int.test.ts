import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ConditionalDelete, DeletePolicy, Destination, Patch } from '../../../connectors/destination.ts'
import { createWarehouse } from '../../../connectors/warehouse/destination.ts'
import { parseFieldType, type Value } from '../../../schemas/field-type.ts'
import { fullPatch, partialPatch, removal } from '../../contract/destination-contract.ts'
import { mappingOf } from './mappings.ts'
import { createDatabase, untilWaiting, type WarehouseDatabase } from './warehouse-database.ts'

const SCHEMA = 'cond'
const INVOICES = mappingOf('invoices', { customer: 'int32', status: 'string', paid: 'date' }, 'soft')
const { signal } = new AbortController()

function whileOpen(policy: DeletePolicy, otherwise: DeletePolicy): ConditionalDelete {
  const column = (to: string, type: string, value: Value) => ({ to, type: parseFieldType(type), value })
  return {
    policy,
    while: {
      entity: 'invoice',
      target: 'invoices',
      refersBy: [{ to: 'customer', type: parseFieldType('int32') }],
      where: [column('status', 'string', "it's \\ open"), column('paid', 'date', null)],
    },
    otherwise,
  }
}

const customersOf = (policy: DeletePolicy, otherwise: DeletePolicy) =>
  mappingOf(`customers_${policy}_${otherwise}`, { id: 'int64', name: 'string' }, whileOpen(policy, otherwise))

/** Every two policies, in either order. */
const PAIRS = (['hard', 'soft', 'archive', 'ignore'] as const).flatMap((policy, _, all) =>
  all.filter((other) => other !== policy).map((other) => [policy, other] as const),
)
const ALL = PAIRS.map(([policy, otherwise]) => customersOf(policy, otherwise))
const CUSTOMERS = ALL.find(({ target }) => target === 'customers_soft_hard')!
const LINES = mappingOf('lines', { at: 'date', note: 'string', amount: 'decimal(4,1)' }, 'hard')
const DAYS = mappingOf(
  'days',
  { day: 'date', note: 'string' },
  {
    policy: 'ignore',
    while: {
      entity: 'line',
      target: 'lines',
      refersBy: [
        { to: 'note', type: parseFieldType('string') },
        { to: 'at', type: parseFieldType('date') },
      ],
      where: [{ to: 'amount', type: parseFieldType('decimal(4,1)'), value: '1.0' }],
    },
    otherwise: 'hard',
  },
  ['note', 'day'],
)

let database: WarehouseDatabase
let destination: Destination
let keys = 0

beforeAll(async () => {
  database = await createDatabase('cond')
  const mappings = [INVOICES, ...ALL, LINES, DAYS]
  destination = createWarehouse({ name: 'cond', url: database.url, schema: SCHEMA, mappings, connections: 4 })
  await destination.provision()
  await destination.check()
})
afterAll(async () => {
  await destination.close()
  await database.drop()
})

const newKey = () => String(++keys)
const kinds = async (mapping: typeof CUSTOMERS, ...patches: readonly Patch[]) =>
  (await destination.apply(mapping, patches, signal)).map(({ kind }) => kind)
const customer = (key: string, at = 1) => fullPatch(key, at, { id: BigInt(key), name: `v${at}` })
let invoices = 0
const invoice = (key: string, status = "it's \\ open", paid: number | null = null) =>
  fullPatch(`i${++invoices}`, 1, { customer: BigInt(key), status, paid })
const openInvoice = async (key: string) => expect(await kinds(INVOICES, invoice(key))).toEqual(['applied'])

/** What became of a customer. */
async function stateOf(key: string, { target } = CUSTOMERS): Promise<DeletePolicy | 'missing'> {
  const { sql } = database
  const has = async (table: string) =>
    (await sql<{ exists: string | null }[]>`SELECT to_regclass(${`${SCHEMA}.${table}`}) AS exists`)[0]!.exists !==
      null && (await sql`SELECT FROM ${sql(`${SCHEMA}.${table}`)} WHERE tributary_key = ${key}`).length > 0
  if (await has(target)) {
    const [row] =
      await sql`SELECT to_jsonb(t) ->> 'tributary_deleted_at' AS mark FROM ${sql(`${SCHEMA}.${target}`)} AS t
      WHERE tributary_key = ${key}`
    return row!.mark === null ? 'ignore' : 'soft'
  }
  if (await has(`${target}_archive`)) return 'archive'
  const guard = await sql`SELECT FROM cond.tributary_guard WHERE target = ${target} AND tributary_key = ${key}`
  return guard.length > 0 ? 'hard' : 'missing'
}

describe.each(PAIRS)('%s while it is referred to, else %s', (policy, otherwise) => {
  const mapping = customersOf(policy, otherwise)

  it('does the one or the other with each delete of a batch, and compares versions as ever', async () => {
    const [held, free, newer, missing] = [newKey(), newKey(), newKey(), newKey()]
    await kinds(mapping, customer(held), customer(free), customer(newer, 9))
    await openInvoice(held)
    await openInvoice(newer)
    const deletes = [held, free, newer, missing].map((key) => removal(key, 5))
    expect(await kinds(mapping, ...deletes)).toEqual(['applied', 'applied', 'newer', 'applied'])
    expect(await stateOf(held, mapping)).toBe(policy)
    expect(await stateOf(free, mapping)).toBe(otherwise)
    expect(await destination.read!(mapping, newer, signal)).toEqual({ id: BigInt(newer), name: 'v9' })

    const old = [held, free, missing].map((key) => customer(key, 4))
    expect(await kinds(mapping, ...old)).toEqual(['newer', 'newer', 'newer'])
    expect(await kinds(mapping, ...[held, free, missing].map((key) => removal(key, 4)))).toEqual(Array(3).fill('newer'))
    expect(await destination.read!(mapping, missing, signal)).toBeNull()
    const isThere = (one: DeletePolicy) => (one === 'ignore' ? 'applied' : 'absent')
    const partial = [held, free, missing].map((key) => partialPatch(key, 6, { name: 'v6' }))
    expect(await kinds(mapping, ...partial)).toEqual([isThere(policy), isThere(otherwise), 'absent'])
    const again = [held, free, missing].map((key) => customer(key, 7))
    expect(await kinds(mapping, ...again)).toEqual(['applied', 'applied', 'applied'])
    for (const key of [held, free, missing])
      expect(await destination.read!(mapping, key, signal)).toEqual({ id: BigInt(key), name: 'v7' })
  })

  it('a repeat of a delete ends the same while nothing else changed', async () => {
    const key = newKey()
    await kinds(mapping, customer(key))
    await openInvoice(key)
    for (const _ of [1, 2]) expect(await kinds(mapping, removal(key, 2))).toEqual(['applied'])
    expect(await stateOf(key, mapping)).toBe(policy)
  })
})

describe('the condition', () => {
  it.each([
    ['another state', (key: string) => [invoice(key, 'closed')]],
    ['a value where null is asked for', (key: string) => [invoice(key, "it's \\ open", 0)]],
    ['another customer', (key: string) => [invoice(String(Number(key) + 100_000))]],
  ])('does not hold for an invoice with %s', async (_, made) => {
    const key = newKey()
    await kinds(CUSTOMERS, customer(key))
    await kinds(INVOICES, ...made(key))
    await kinds(CUSTOMERS, removal(key, 2))
    expect(await stateOf(key)).toBe('hard')
  })

  it('does not hold for an invoice that is marked as deleted itself', async () => {
    const key = newKey()
    await kinds(CUSTOMERS, customer(key))
    const one = invoice(key)
    await kinds(INVOICES, one)
    await kinds(INVOICES, removal(one.key, 2))
    await kinds(CUSTOMERS, removal(key, 2))
    expect(await stateOf(key)).toBe('hard')
  })

  it('is asked with keys that the referring column cannot hold', async () => {
    const large = '5000000000'
    expect(await kinds(CUSTOMERS, customer(large))).toEqual(['applied'])
    expect(await kinds(CUSTOMERS, removal(large, 2))).toEqual(['applied'])
    expect(await stateOf(large)).toBe('hard')
  })

  it('takes keys of several parts apart, and refuses one that has others', async () => {
    const [held, free] = ['["a\\"b","2024-02-29"]', '["a\\"b","2024-03-01"]']
    await kinds(DAYS, ...[held, free].map((key) => fullPatch(key, 1, { day: 19_782, note: 'a"b' })))
    await kinds(LINES, fullPatch('l', 1, { at: 19_782, note: 'a"b', amount: '1.0' }))
    expect(await kinds(DAYS, removal(held, 2), removal(free, 2))).toEqual(['applied', 'applied'])
    expect(await stateOf(held, DAYS)).toBe('ignore')
    expect(await stateOf(free, DAYS)).toBe('hard')
    expect(await destination.apply(DAYS, [removal('["a"]', 2)], signal)).toMatchObject([
      { kind: 'rejected', code: 'key-unreadable' },
    ])
  })
})

describe('the moment of the decision', () => {
  /** Holds something in a transaction of another, until what `meanwhile` does is done and the delete waits. */
  async function whileWaiting(hold: string, key: string, meanwhile: () => Promise<void>) {
    const held = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    const holding = database.sql.begin(async (sql) => {
      await sql.unsafe(hold)
      held.resolve()
      await release.promise
    })
    await held.promise
    const deleting = kinds(CUSTOMERS, removal(key, 2))
    await untilWaiting(database, 'tributary/cond')
    await meanwhile()
    release.resolve()
    await holding
    return await deleting
  }

  it.each([
    ['the row', (key: string) => `SELECT FROM cond.customers_soft_hard WHERE tributary_key = '${key}' FOR UPDATE`],
    ['the table', () => 'LOCK cond.customers_soft_hard IN EXCLUSIVE MODE'],
  ])('comes after waiting for %s: a condition that became true or false meanwhile counts', async (_, hold) => {
    const [opened, closed] = [newKey(), newKey()]
    await kinds(CUSTOMERS, customer(opened), customer(closed))
    const waited = await whileWaiting(hold(opened), opened, () => openInvoice(opened))
    expect([waited, await stateOf(opened)]).toEqual([['applied'], 'soft'])

    const one = invoice(closed)
    await kinds(INVOICES, one)
    const close = async () => {
      await kinds(INVOICES, partialPatch(one.key, 2, { status: 'closed' }))
    }
    expect(await whileWaiting(hold(closed), closed, close)).toEqual(['applied'])
    expect(await stateOf(closed)).toBe('hard')
  })

  it('what comes after it changes nothing; a repeat of the delete decides again', async () => {
    const [removed, marked] = [newKey(), newKey()]
    await kinds(CUSTOMERS, customer(removed), customer(marked))
    const one = invoice(marked)
    await kinds(INVOICES, one)
    await kinds(CUSTOMERS, removal(removed, 2), removal(marked, 2))
    await openInvoice(removed)
    await kinds(INVOICES, removal(one.key, 2))
    expect([await stateOf(removed), await stateOf(marked)]).toEqual(['hard', 'soft'])
    expect(await kinds(CUSTOMERS, removal(removed, 2), removal(marked, 2))).toEqual(['applied', 'applied'])
    expect([await stateOf(removed), await stateOf(marked)]).toEqual(['hard', 'hard'])
  })

  it('is one for each delete: beside invoices that open and close, every delete takes effect', async () => {
    const names = Array.from({ length: 40 }, newKey)
    await kinds(CUSTOMERS, ...names.map((key) => customer(key)))
    const invoicing = async () => {
      for (let at = 2; at < 40; at++)
        await kinds(
          INVOICES,
          ...names.map((key) =>
            fullPatch(`of ${key}`, at, {
              customer: BigInt(key),
              status: at % 2 ? 'closed' : "it's \\ open",
              paid: null,
            }),
          ),
        )
    }
    const deleting = async () => {
      for (let at = 2; at < 40; at++) {
        expect(new Set(await kinds(CUSTOMERS, ...names.map((key) => removal(key, 2 * at))))).toEqual(
          new Set(['applied']),
        )
        const again = names.map((key) => customer(key, 2 * at + 1))
        expect(new Set(await kinds(CUSTOMERS, ...again))).toEqual(new Set(['applied']))
      }
    }
    await Promise.all([invoicing(), deleting()])
  })
})

describe('provisioning', () => {
  it('makes what both policies need, an index for the question, and adds to what was there for one', async () => {
    const invoice = mappingOf('invoices', { customer: 'int32', status: 'string', paid: 'date' })
    const make = (mapping: typeof CUSTOMERS, schema: string) =>
      createWarehouse({ name: 'made', url: database.url, schema, mappings: [invoice, mapping], connections: 1 })
    const plain = make(mappingOf('customers', { id: 'int64', name: 'string' }, 'ignore'), 'grown')
    await plain.provision()
    await plain.close()
    const grown = make(mappingOf('customers', { id: 'int64', name: 'string' }, whileOpen('soft', 'archive')), 'grown')
    const plan = (await grown.plan()).join('\n')
    for (const part of [
      'customers_archive',
      'ADD COLUMN "tributary_deleted_at"',
      'CREATE INDEX ON "grown"."invoices" ("customer")',
    ])
      expect(plan).toContain(part)
    await expect(grown.check()).rejects.toMatchObject({ code: 'destination-unsuitable' })
    await grown.provision()
    expect(await grown.plan()).toEqual([])
    await grown.check()

    const { sql } = database
    await sql`DROP INDEX grown.invoices_customer_idx`
    await sql`CREATE INDEX mine ON grown.invoices (status, customer)`
    await sql`CREATE INDEX half ON grown.invoices (customer) WHERE status = 'open'`
    expect(await grown.plan()).toEqual([expect.stringContaining('CREATE INDEX')])
    await sql`CREATE INDEX good ON grown.invoices (customer, status)`
    expect(await grown.plan()).toEqual([])
    await grown.close()
  })
})
