import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { DeletePolicy, Destination, EntityMapping, Outcome, Patch } from '../../../connectors/destination.ts'
import { planBatch } from '../../../connectors/warehouse/batch.ts'
import { createWarehouse } from '../../../connectors/warehouse/destination.ts'
import { openSession, type Session } from '../../../connectors/warehouse/session.ts'
import { StatementTexts } from '../../../connectors/warehouse/statement-texts.ts'
import { resolveTables } from '../../../connectors/warehouse/tables.ts'
import { fullPatch, partialPatch, removal } from '../../contract/destination-contract.ts'
import { mappingOf } from './mappings.ts'
import { createDatabase, untilWaiting, type WarehouseDatabase } from './warehouse-database.ts'

const SCHEMA = 'race'
const OWNER = 'tributary/owner'

function mappingFor(policy: DeletePolicy): EntityMapping {
  return mappingOf(`things_${policy}`, { a: 'string', b: 'int64' }, policy)
}

let database: WarehouseDatabase
let owner: Destination
let keys = 0
let key = ''
const open: Session[] = []

beforeAll(async () => {
  database = await createDatabase('race')
  const mappings = (['hard', 'archive', 'soft', 'ignore'] as const).map(mappingFor)
  owner = createWarehouse({ name: 'owner', url: database.url, schema: SCHEMA, mappings, connections: 4 })
  await owner.provision()
})
beforeEach(() => {
  key = `key-${++keys}`
})
afterAll(async () => {
  for (const session of open) session.destroy()
  await owner.close()
  await database.drop()
})

/** The same statements as the destination's, sent one by one, so that a test can stop between them as a frozen process does. */
async function begin(policy: DeletePolicy, ...patches: readonly Patch[]) {
  const session = await openSession({
    url: database.url,
    applicationName: 'tributary/frozen',
    statementTimeoutMs: 30_000,
  })
  open.push(session)
  const table = resolveTables(SCHEMA, [mappingFor(policy)]).get(`things_${policy}`)!
  const { statements } = planBatch(table, new StatementTexts(table), patches)
  await session.command('BEGIN ISOLATION LEVEL READ COMMITTED')
  let next = 0
  return {
    step: () => {
      const { text, parameters } = statements[next++]!
      return session.query(text, parameters, false)
    },
    rest: async () => {
      let rows: readonly (readonly unknown[])[] = []
      while (next < statements.length) {
        const { text, parameters } = statements[next++]!
        rows = await session.query(text, parameters, false)
      }
      return rows.length
    },
    commit: () => session.command('COMMIT'),
  }
}

async function apply(policy: DeletePolicy, ...patches: readonly Patch[]): Promise<readonly Outcome['kind'][]> {
  const outcomes = await owner.apply(mappingFor(policy), patches, new AbortController().signal)
  return outcomes.map(({ kind }) => kind)
}

async function row(policy: DeletePolicy) {
  const [found] = await database.sql`SELECT a, b::text, encode(tributary_version, 'hex') AS version
    FROM ${database.sql(`${SCHEMA}.things_${policy}`)} WHERE tributary_key = ${key}`
  return found && { a: found.a, b: found.b, position: Number.parseInt(found.version.slice(16, 32), 16) }
}

describe.each(['hard', 'archive'] as const)(
  'with deletes %s, an old full upsert of a frozen owner does not resurrect a row',
  (policy) => {
    it('when it stood before its upsert and the delete came meanwhile', async () => {
      await apply(policy, fullPatch(key, 1, { a: 'first', b: 1n }))
      const frozen = await begin(policy, fullPatch(key, 2, { a: 'old', b: 2n }))
      await frozen.step()
      const deleting = apply(policy, removal(key, 3))
      await untilWaiting(database, OWNER)
      expect(await frozen.rest()).toBe(1)
      await frozen.commit()
      expect(await deleting).toEqual(['applied'])
      expect(await row(policy)).toBeUndefined()
    })

    it('when the delete was under way before it began', async () => {
      await apply(policy, fullPatch(key, 1, { a: 'first', b: 1n }))
      const deleting = await begin(policy, removal(key, 3))
      await deleting.rest()
      const old = apply(policy, fullPatch(key, 2, { a: 'old', b: 2n }))
      await untilWaiting(database, OWNER)
      await deleting.commit()
      expect(await old).toEqual(['newer'])
      expect(await row(policy)).toBeUndefined()
    })

    it('when the row was never there', async () => {
      const deleting = await begin(policy, removal(key, 3))
      await deleting.rest()
      const old = apply(policy, fullPatch(key, 2, { a: 'old', b: 2n }))
      await untilWaiting(database, OWNER)
      await deleting.commit()
      expect(await old).toEqual(['newer'])
      expect(await row(policy)).toBeUndefined()
    })

    it('when the delete has already committed', async () => {
      await apply(policy, removal(key, 3))
      const frozen = await begin(policy, fullPatch(key, 2, { a: 'old', b: 2n }))
      expect(await frozen.rest()).toBe(0)
      await frozen.commit()
      expect(await row(policy)).toBeUndefined()
    })

    it('and an old delete does not remove a row that was made again meanwhile', async () => {
      await apply(policy, removal(key, 2))
      const making = await begin(policy, fullPatch(key, 5, { a: 'again', b: 5n }))
      await making.rest()
      const old = apply(policy, removal(key, 3))
      await untilWaiting(database, OWNER)
      await making.commit()
      expect(await old).toEqual(['newer'])
      expect(await row(policy)).toEqual({ a: 'again', b: '5', position: 5 })
    })

    it('and an old partial update that waits for the delete finds nothing to update', async () => {
      await apply(policy, fullPatch(key, 1, { a: 'first', b: 1n }))
      const deleting = await begin(policy, removal(key, 3))
      await deleting.rest()
      const old = apply(policy, partialPatch(key, 2, { b: 2n }))
      await untilWaiting(database, OWNER)
      await deleting.commit()
      expect(await old).toEqual(['newer'])
      expect(await row(policy)).toBeUndefined()
    })

    it('and a delete that waits for a newer update leaves the row', async () => {
      await apply(policy, fullPatch(key, 1, { a: 'first', b: 1n }))
      const updating = await begin(policy, partialPatch(key, 5, { b: 5n }))
      await updating.rest()
      const old = apply(policy, removal(key, 3))
      await untilWaiting(database, OWNER)
      await updating.commit()
      expect(await old).toEqual(['newer'])
      expect(await row(policy)).toEqual({ a: 'first', b: '5', position: 5 })
      expect(await apply(policy, fullPatch(key, 4, { a: 'old' }))).toEqual(['newer'])
    })
  },
)

describe('with deletes soft', () => {
  it('an old full upsert that waits for the delete of a missing object does not make it live', async () => {
    const deleting = await begin('soft', removal(key, 3))
    await deleting.rest()
    const old = apply('soft', fullPatch(key, 2, { a: 'old', b: 2n }))
    await untilWaiting(database, OWNER)
    await deleting.commit()
    expect(await old).toEqual(['newer'])
    expect(await row('soft')).toEqual({ a: null, b: null, position: 3 })
  })

  it('a delete that waits for an old insert of the object marks it', async () => {
    const frozen = await begin('soft', fullPatch(key, 2, { a: 'old', b: 2n }))
    await frozen.rest()
    const deleting = apply('soft', removal(key, 3))
    await untilWaiting(database, OWNER)
    await frozen.commit()
    expect(await deleting).toEqual(['applied'])
    expect(await apply('soft', partialPatch(key, 4, { b: 4n }))).toEqual(['absent'])
  })
})

describe.each(['hard', 'soft', 'ignore'] as const)(
  'with deletes %s, an old patch that waits for a newer one changes nothing',
  (policy) => {
    it.each([
      ['a partial update', () => partialPatch(key, 2, { a: 'old' })],
      ['a full upsert', () => fullPatch(key, 2, { a: 'old', b: 2n })],
    ])('%s', async (_, old) => {
      await apply(policy, fullPatch(key, 1, { a: 'first', b: 1n }))
      const newer = await begin(policy, partialPatch(key, 3, { b: 3n }))
      await newer.rest()
      const waiting = apply(policy, old())
      await untilWaiting(database, OWNER)
      await newer.commit()
      expect(await waiting).toEqual(['newer'])
      expect(await row(policy)).toEqual({ a: 'first', b: '3', position: 3 })
    })

    it('a full upsert that waits for the first insert of its key', async () => {
      const newer = await begin(policy, fullPatch(key, 3, { a: 'new', b: 3n }))
      await newer.rest()
      const waiting = apply(policy, fullPatch(key, 2, { a: 'old', b: 2n }))
      await untilWaiting(database, OWNER)
      await newer.commit()
      expect(await waiting).toEqual(['newer'])
      expect(await row(policy)).toEqual({ a: 'new', b: '3', position: 3 })
    })

    it('while a newer patch of another column that waits for an older one keeps both', async () => {
      await apply(policy, fullPatch(key, 1, { a: 'first', b: 1n }))
      const older = await begin(policy, partialPatch(key, 2, { a: 'second' }))
      await older.rest()
      const waiting = apply(policy, partialPatch(key, 3, { b: 3n }))
      await untilWaiting(database, OWNER)
      await older.commit()
      expect(await waiting).toEqual(['applied'])
      expect(await row(policy)).toEqual({ a: 'second', b: '3', position: 3 })
    })
  },
)

it.each(['hard', 'archive', 'soft'] as const)(
  'with deletes %s, batches in any order and side by side end at the newest version of every key',
  async (policy) => {
    const seed = Number(process.env.TRIBUTARY_SEED ?? Date.now() % 1_000_000)
    console.log(`seed ${seed} (TRIBUTARY_SEED)`)
    const random = randomFrom(seed)
    const names = Array.from({ length: 6 }, (_, at) => `${key}-${policy}-${at}`)
    const histories = names.map((name) =>
      Array.from(
        { length: 30 },
        (_, at): Patch =>
          random() < 0.4 ? removal(name, at + 1) : fullPatch(name, at + 1, { a: `v${at + 1}`, b: BigInt(at + 1) }),
      ),
    )
    const batches = Array.from({ length: 30 }, () => [] as Patch[])
    for (const history of histories) {
      const order = [...batches.keys()].sort(() => random() - 0.5)
      for (const [at, patch] of history.entries()) batches[order[at]!]!.push(patch)
    }
    const worker = async () => {
      for (let batch = batches.pop(); batch !== undefined; batch = batches.pop()) {
        let left: readonly Patch[] = batch
        // Locked in different orders, batches of different owners can deadlock; the engine repeats a conflict.
        while (left.length > 0) {
          const sent = left
          const outcomes = await apply(policy, ...sent)
          left = sent.filter((_, at) => outcomes[at] === 'conflict')
          expect(outcomes.filter((kind) => !['applied', 'newer', 'conflict'].includes(kind))).toEqual([])
        }
      }
    }
    await Promise.all([worker(), worker(), worker(), worker()])
    for (const [at, name] of names.entries()) {
      const last = histories[at]!.at(-1)!
      const alive = policy === 'soft' ? database.sql`AND tributary_deleted_at IS NULL` : database.sql``
      const found = await database.sql`SELECT a FROM ${database.sql(`${SCHEMA}.things_${policy}`)}
        WHERE tributary_key = ${name} ${alive}`
      expect(found.map(({ a }) => a)).toEqual(last.kind === 'delete' ? [] : ['v30'])
    }
  },
)

function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
}
