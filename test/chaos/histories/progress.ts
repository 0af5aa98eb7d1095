import { Kafka, logLevel } from 'kafkajs'
import type postgres from 'postgres'
import { pause } from '../../../connectors/pause.ts'
import { entityTopic } from '../../../schemas/topics.ts'
import { residentKb } from '../../support/process-usage.ts'
import type { ProcessSample, ProgressSample } from './history.ts'

export interface ProgressOptions {
  readonly brokers: readonly string[]
  readonly source: postgres.Sql
  /** Of the pipeline's topics. */
  readonly prefix: string
  readonly entities: readonly string[]
  /** The groups of each destination with the entities that they read. */
  readonly groups: readonly {
    readonly destination: string
    readonly groupId: string
    readonly entities: readonly string[]
  }[]
  /** The number of the newest effect at each destination. */
  readonly effects: () => Promise<Readonly<Record<string, number>>>
  /** The processes that run, by name. */
  readonly processes: () => readonly { readonly name: string; readonly pid: number }[]
}

export interface ProgressRecorder {
  stop(): Promise<{ readonly progress: readonly ProgressSample[]; readonly processes: readonly ProcessSample[] }>
}

const EVERY_MS = 1_000

/** Looks every second how far everything is. A sample that cannot be whole, as something is away, is left out. */
export async function recordProgress(options: ProgressOptions): Promise<ProgressRecorder> {
  const kafka = new Kafka({
    clientId: 'progress',
    brokers: [...options.brokers],
    logLevel: logLevel.NOTHING,
    requestTimeout: 5_000,
    retry: { retries: 1 },
  })
  const admin = kafka.admin()
  await admin.connect()
  const progress: ProgressSample[] = []
  const processes: ProcessSample[] = []
  const end = new AbortController()

  const sample = async (): Promise<ProgressSample> => {
    const [slot] = await options.source<{ confirmed: string | null }[]>`
      SELECT (confirmed_flush_lsn - '0/0'::pg_lsn)::text AS confirmed FROM pg_replication_slots
      WHERE database = current_database() AND NOT temporary`
    const committed: Record<string, Record<string, number>> = {}
    for (const { destination, groupId, entities } of options.groups) {
      const byTopic = new Map(entities.map((entity) => [entityTopic(options.prefix, entity), entity]))
      const places: Record<string, number> = {}
      for (const { topic, partitions } of await admin.fetchOffsets({ groupId, topics: [...byTopic.keys()] }))
        for (const { partition, offset } of partitions)
          if (offset !== '-1') places[`${byTopic.get(topic)}/${partition}`] = Number(offset)
      committed[destination] = { ...committed[destination], ...places }
    }
    const ends: Record<string, number> = {}
    for (const entity of options.entities)
      for (const { partition, high } of await admin.fetchTopicOffsets(entityTopic(options.prefix, entity)))
        ends[`${entity}/${partition}`] = Number(high)
    const effects = await options.effects()
    return { atMs: Date.now(), confirmed: slot?.confirmed ?? null, committed, ends, effects }
  }
  const work = async () => {
    while (!end.signal.aborted) {
      for (const { name, pid } of options.processes()) {
        const rssBytes = rssOf(pid)
        if (rssBytes !== null) processes.push({ atMs: Date.now(), process: name, pid, rssBytes })
      }
      // What is away is away for us as well.
      const taken = await sample().catch(() => null)
      if (taken !== null) progress.push(taken)
      await pause(EVERY_MS, end.signal)
    }
    // One of the end: everybody is there again.
    progress.push(await sample())
    await admin.disconnect()
  }
  const working = work()
  working.catch(() => {})
  return {
    async stop() {
      end.abort()
      await working
      return { progress, processes }
    },
  }
}

/** null when it is gone. Only where there is /proc. */
function rssOf(pid: number): number | null {
  try {
    return residentKb(pid).now * 1024
  } catch {
    return null
  }
}
