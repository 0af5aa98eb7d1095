import { pause } from '../../../connectors/pause.ts'
import type { Flow } from '../../support/flow.ts'
import { onLocalErp } from '../../support/flow.ts'
import { type Random, seededRandom } from '../workload/random.ts'
import type { Fields, Subscriber } from './subscribers.ts'

/** One table whose rows have a revision that only grows, over deletes as well, so that order can be seen from outside. */
export const ITEMS_SQL = `
  CREATE TABLE items (id text PRIMARY KEY, name text NOT NULL, detail text, revision bigint NOT NULL);
  ALTER TABLE items REPLICA IDENTITY FULL;
  CREATE SEQUENCE revisions;`

export const declareItems = (subscribers: readonly Subscriber[]) => (prefix: string) =>
  `
${onLocalErp(prefix)}
entities:
  item:
    source: erp
    table: items
    key: id
    owner: test
    freshness: 15m
    partitions: 3
    fields: { id: string, name: string, detail: string, revision: int64 }
subscribers:
${subscribers.map(({ name, declared }) => `  ${name}: ${declared}`).join('\n')}
`

const KEYS = 12
/** After so many changes they go on with other keys: what a kill has spoilt must not be healed by what comes later. */
const CHANGES_PER_KEYS = 300
const PAUSE_MS_MAX = 30

/** One change of one item. Few values, so that fields come back to what they were: what a patch of differences could miss. */
function statement(random: Random, change: number): string {
  const id = `i-${Math.floor(change / CHANGES_PER_KEYS)}-${random.below(KEYS)}`
  const name = `'n${random.below(3)}'`
  const detail = random.chance(0.3) ? 'NULL' : `'d${random.below(2)}'`
  if (random.chance(0.06)) return `DELETE FROM items WHERE id = '${id}'`
  const changes = random.oneOf([`name = ${name}`, `detail = ${detail}`, `name = ${name}, detail = ${detail}`])
  return `INSERT INTO items VALUES ('${id}', ${name}, ${detail}, nextval('revisions'))
    ON CONFLICT (id) DO UPDATE SET ${changes}, revision = nextval('revisions')`
}

/** Changes items all the time. @returns how to end it, and how many changes there were */
export function keepChanging(flow: Flow, seed: number): { stop(): Promise<number> } {
  const random = seededRandom(seed, 'items')
  const end = new AbortController()
  const work = async () => {
    let changes = 0
    for (; !end.signal.aborted; changes++) {
      await flow.source.unsafe(statement(random, changes))
      await pause(random.below(PAUSE_MS_MAX), end.signal)
    }
    return changes
  }
  const done = work()
  done.catch(() => {})
  return {
    stop() {
      end.abort()
      return done
    },
  }
}

/** How a subscriber differs from the source, both ways; empty when it does not. */
export async function itemDifferences(flow: Flow, subscriber: Subscriber): Promise<string[]> {
  const rows = await flow.source<({ id: string } & Fields)[]>`SELECT id, name, detail, revision::text FROM items`
  const held = await subscriber.held(flow)
  const wanted = new Map(rows.map(({ id, name, detail, revision }) => [id, JSON.stringify({ name, detail, revision })]))
  const found = new Map(
    [...held].map(([id, { name, detail, revision }]) => [id, JSON.stringify({ name, detail, revision })]),
  )
  return [...new Set([...wanted.keys(), ...found.keys()])].flatMap((id) =>
    wanted.get(id) === found.get(id)
      ? []
      : [`${subscriber.name} ${id}: ${found.get(id) ?? 'nothing'} instead of ${wanted.get(id) ?? 'nothing'}`],
  )
}
