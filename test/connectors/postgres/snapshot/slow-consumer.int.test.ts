import { setTimeout as wait } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { SourceEvent } from '../../../../connectors/source.ts'
import { ask, expectVersionsToRise, ITEM, items, tableOf, topicOf } from '../items.ts'
import { createTopics, isSnapshotDone, sourceFor, until } from '../own-database.ts'

const SNAPSHOTS = 10
/** As long as a point takes to get: it becomes known while a batch is in other hands. */
const BUSY_MS = 40

test('while the consumer is busy a point becomes known: nothing below it is left out or told as done', async () => {
  const database = await items(300)
  const source = sourceFor(database, [ITEM], { snapshot: { chunkRows: 200, tables: 1 } })
  await source.prepare()
  const topics = createTopics()
  const events: SourceEvent[] = []
  const abort = new AbortController()
  const running = (async () => {
    for await (const batch of source.events(topics.context(), abort.signal)) {
      events.push(...batch)
      for (const event of batch) topics.take(event)
      await wait(BUSY_MS)
    }
  })()
  const stop = async () => {
    abort.abort()
    await running
  }
  onTestFinished(stop)
  await until('the first snapshot', () => isSnapshotDone(events))
  let writing = true
  const writer = (async () => {
    for (let n = 0; writing; n++) {
      await database.sql`UPDATE item SET n = ${n} WHERE id = ${1 + (n % 300)}`
      await wait(1)
    }
  })()
  onTestFinished(() => {
    writing = false
  })
  for (let asked = 0; asked < SNAPSHOTS; asked++) {
    const id = await ask(database, 'item')
    await until('the snapshot', () =>
      JSON.stringify(topics.values.get('snapshot/item') ?? {}).includes(`"id":"${id}","rows"`),
    )
  }
  writing = false
  await writer
  await database.sql`INSERT INTO item VALUES (100000, 1, 'last')`
  await until('the last row', () => topicOf(events).has('100000'))
  await stop()
  let told = 0n
  const late = events.filter((event) => {
    if (event.kind === 'progress') told = event.position
    return event.kind === 'change' && event.change.version.position < told
  })
  expect(late).toEqual([])
  expectVersionsToRise(events)
  expect(topicOf(events)).toEqual(await tableOf(database))
})
