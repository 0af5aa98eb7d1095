import { expect } from 'vitest'
import { deadLetterTopic } from '../../../schemas/topics.ts'
import { createFlow, eventually, type Flow, type FlowProcess } from '../../support/flow.ts'
import { ageLedger } from '../../support/old-ledger.ts'
import { untilQuiet } from '../../support/quiet.ts'
import { countRecords, readHistory, staleTails } from '../../support/topics/topic-history.ts'
import { declareItems, ITEMS_SQL, itemDifferences } from '../delivery/items.ts'
import { type Subscriber, setBacks, WAREHOUSE_HISTORY } from '../delivery/subscribers.ts'
import type { About } from '../histories/history.ts'
import { type Recording, startRecording } from './recording.ts'

/** One table, and subscribers that tell in what order revisions took effect. */
export interface Scene {
  readonly flow: Flow
  readonly subscribers: readonly Subscriber[]
  /** Starts a process that goes by these addresses and settings; its log is in {@link story}. */
  start(settings: Readonly<Record<string, string>>, ...args: string[]): FlowProcess
  /** Starts the delivery to a subscriber. */
  deliver(subscriber: Subscriber, settings?: Readonly<Record<string, string>>): Promise<FlowProcess>
  readonly recording: Recording
  /** What every process wrote, for a test that failed. */
  story(): string
  close(): Promise<void>
}

/**
 * @param settings environment variables of all its processes, such as the address of a server of its own
 * @param more what there is beside the items: SQL of the source, and entities as a declaration has them
 */
export async function openScene(
  subscribers: readonly Subscriber[],
  settings: Readonly<Record<string, string>> = {},
  more: { readonly sql: string; readonly entities: string } = { sql: '', entities: '' },
): Promise<Scene> {
  const flow = await createFlow(
    (prefix) => declareItems(subscribers)(prefix).replace('subscribers:', `${more.entities}subscribers:`),
    ITEMS_SQL + more.sql,
    settings,
  )
  const processes: { readonly name: string; readonly process: FlowProcess }[] = []
  let recording: Recording | undefined
  const scene: Scene = {
    flow,
    get recording() {
      return recording!
    },
    subscribers,
    start(own, ...args) {
      const process = flow.startWith(own, ...args)
      processes.push({ name: args.join(' '), process })
      return process
    },
    deliver: async (subscriber, own = {}) =>
      scene.start({ ...(await subscriber.settings(flow)), ...own }, 'deliver', subscriber.name),
    story: () => processes.map(({ name, process }) => `--- ${name}\n${process.log()}`).join('\n'),
    async close() {
      await recording?.stop()
      await flow.close()
      await Promise.all(subscribers.map((subscriber) => subscriber.close()))
    },
  }
  try {
    await flow.provision()
    if (subscribers.some(({ name }) => name === 'warehouse')) await flow.warehouse.unsafe(WAREHOUSE_HISTORY)
    await ageLedger(flow)
    recording = await startRecording(flow)
  } catch (error) {
    await scene.close()
    throw error
  }
  return scene
}

/** Changes or makes an item; its revision only grows. */
export async function put(flow: Flow, id: string, name: string, detail: string | null = null): Promise<void> {
  await flow.source`INSERT INTO items VALUES (${id}, ${name}, ${detail}, nextval('revisions'))
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, detail = excluded.detail, revision = excluded.revision`
}

/** Waits until a subscriber holds this name of an item; null: it holds no such item. */
export async function untilHeld(
  scene: Scene,
  subscriber: Subscriber,
  id: string,
  name: string | null,
  withinMs = 120_000,
): Promise<void> {
  await eventually(
    async () => ((await subscriber.held(scene.flow)).get(id)?.name ?? null) === name,
    () => `${subscriber.name} has ${name} as the name of ${id}\n${scene.story()}`,
    withinMs,
  )
}

/**
 * After quiet: every key's newest version is last on the topic (G1), every subscriber equals the source (G4), nothing was set back where versions
 * are compared (G3), and nothing was given up (G5).
 */
export async function expectRight(scene: Scene, { letters = 0 } = {}): Promise<void> {
  const { flow, subscribers, story } = scene
  await untilQuiet(flow).catch((error) => {
    throw new Error(story(), { cause: error })
  })
  expect(staleTails('item', await readHistory(flow, 'item')), story()).toEqual([])
  for (const subscriber of subscribers) {
    expect(await itemDifferences(flow, subscriber), story()).toEqual([])
    if (subscriber.compares) expect(setBacks(await subscriber.revisions(flow)), story()).toEqual([])
    expect(await countRecords(flow, deadLetterTopic(flow.prefix, subscriber.name)), story()).toBe(letters)
  }
}

/** As {@link expectRight}, and at the end of a scene: what the checker decides from the histories of it (test/chaos/checker). */
export async function expectGuarantees(scene: Scene, about: Partial<About> = {}): Promise<void> {
  await expectRight(scene)
  expect(await scene.recording.judge(about), scene.story()).toEqual([])
}

/** Asks processes to end, which they must do well. */
export async function endWell(scene: Scene, ...processes: readonly FlowProcess[]): Promise<void> {
  for (const one of processes) one.kill('SIGTERM')
  expect(await Promise.all(processes.map(({ exited }) => exited)), scene.story()).toEqual(processes.map(() => 0))
}
