import { groupsOf } from '../../../ops/process/delivery.ts'
import type { Flow } from '../../support/flow.ts'
import { check } from '../checker/check.ts'
import { failures, type Guarantee } from '../checker/verdict.ts'
import { type About, historyOf } from '../histories/history.ts'
import { recordProgress } from '../histories/progress.ts'
import {
  type RecordedTable,
  readSourceHistory,
  readSourceState,
  sourceHistorySql,
} from '../histories/source-history.ts'
import { followTopics } from '../histories/topic-follower.ts'
import {
  newestEffect,
  readWarehouseHistory,
  readWarehouseState,
  warehouseHistorySql,
} from '../histories/warehouse-history.ts'

const ITEMS: RecordedTable = {
  entity: 'item',
  table: 'items',
  key: ['id'],
  columns: ['id', 'name', 'detail', 'revision'],
}
/** What is decided where the warehouse is among the subscribers, and without it. */
const WITH_WAREHOUSE = ['G1', 'G2', 'G3', 'G4', 'G6', 'G7'] as const
const WITHOUT: readonly Guarantee[] = ['G1', 'G7']
/** Items that are there from the beginning: enough that no partition holds nothing but fences, which are no history. */
const PRESENT = 9
/** Whoever does not want what was recorded does not wait long for what is still missing of it. */
const GIVEN_UP_MS = 10_000

/** The histories of a scene: of its items at the source, on their topic and at the warehouse. */
export interface Recording {
  /** To be asked once, after quiet: what the checker says is wrong, with the stories of the keys. */
  judge(about: Partial<About>): Promise<readonly string[]>
  stop(): Promise<void>
}

/** @param flow provisioned, and nothing in it yet */
export async function startRecording(flow: Flow): Promise<Recording> {
  await flow.source.unsafe(sourceHistorySql([ITEMS]))
  await flow.source`INSERT INTO items SELECT 'there-' || i, 'from the beginning', NULL, nextval('revisions')
    FROM generate_series(1, ${PRESENT}::int) i`
  const declaration = flow.declaration()
  const subscribers = [...declaration.subscribers.values()]
  const hasWarehouse = declaration.subscribers.has('warehouse')
  if (hasWarehouse) await flow.warehouse.unsafe(warehouseHistorySql([ITEMS]))
  const { brokers } = declaration.kafka
  const entities = [ITEMS.entity]
  const follower = await followTopics({
    brokers,
    registryUrl: declaration.registry.url,
    prefix: flow.prefix,
    entities,
    subscribers: subscribers.map(({ name }) => name),
  })
  const recorder = await recordProgress({
    brokers,
    source: flow.source,
    prefix: flow.prefix,
    entities,
    groups: subscribers.flatMap((subscriber) =>
      subscriber.name === 'warehouse'
        ? groupsOf(declaration, subscriber).map(({ groupId }) => ({ destination: subscriber.name, groupId, entities }))
        : [],
    ),
    effects: async () => (hasWarehouse ? { warehouse: await newestEffect(flow.warehouse) } : {}),
    processes: () => [],
  })
  let isOver = false
  const finish = async () => {
    isOver = true
    const { progress } = await recorder.stop()
    return { progress, ...(await follower.finish()) }
  }

  return {
    async judge(about) {
      const quietMs = Date.now()
      const states = [
        ...(await readSourceState(flow.source, [ITEMS])),
        ...(hasWarehouse ? await readWarehouseState(flow.warehouse, 'warehouse', [ITEMS]) : []),
      ]
      const { progress, topic, letters } = await finish()
      const warehouse = { name: 'warehouse', comparesVersions: true, fields: { item: ITEMS.columns } }
      const run = historyOf(
        { quietMs, destinations: hasWarehouse ? [warehouse] : [], ...about },
        {
          source: await readSourceHistory(flow.source),
          topic,
          effects: hasWarehouse ? await readWarehouseHistory(flow.warehouse, 'warehouse') : [],
          letters: letters.filter(({ subscriber }) => subscriber === 'warehouse'),
          progress,
          states,
        },
      )
      return failures(check(run), hasWarehouse ? WITH_WAREHOUSE : WITHOUT).map(
        ({ guarantee, key, what, story }) => `${guarantee} ${key}: ${what}\n${story.join('\n')}`,
      )
    },
    async stop() {
      if (isOver) return
      const given = new Promise<void>((resolve) => setTimeout(resolve, GIVEN_UP_MS).unref())
      await Promise.race([finish().catch(() => {}), given])
    },
  }
}
