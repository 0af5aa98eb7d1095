import { readTopic } from '../../../connectors/kafka/read-topic.ts'
import { valueSubject } from '../../../schemas/avro.ts'
import { createDeltaDecoder, peekVersion } from '../../../schemas/codec.ts'
import { parseDeletion } from '../../../schemas/deletion.ts'
import { isFence } from '../../../schemas/fence.ts'
import { compareVersions, formatVersion, type Version, versionFromBytes } from '../../../schemas/version.ts'
import type { Flow } from '../flow.ts'

interface Entry {
  readonly version: Version
  /** The entity as text, null for a delete: two entries with the same text differ in nothing that a subscriber sees. */
  readonly content: string | null
}

/** What a topic holds of each key, in offset order. */
export async function readHistory(flow: Flow, entity: string): Promise<Map<string, Entry[]>> {
  const { declaration, kafka, registry } = flow.environment()
  const topic = `${declaration.name}.${entity}`
  const decoder = createDeltaDecoder(registry)
  const records: { key: string; version: Version; value: Buffer | null }[] = []
  await readTopic(kafka, declaration.kafka.brokers, topic, (record) => {
    if (isFence(record)) return
    const { key, value, headers } = record
    const name = key!.toString()
    const version = value === null ? parseDeletion(entity, name, headers).version : peekVersion(value)!
    records.push({ key: name, version, value })
  })
  const histories = new Map<string, Entry[]>()
  for (const { key, version, value } of records) {
    const content = value === null ? null : textOf((await decoder.decode(valueSubject(topic), key, value)).after)
    const entries = histories.get(key)
    if (entries) entries.push({ version, content })
    else histories.set(key, [{ version, content }])
  }
  return histories
}

function textOf(after: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(after, (_name, part) => (typeof part === 'bigint' ? `${part}n` : part))
}

/** G1: the last record of every key is its newest version. @returns a line for each key of which it is not */
export function staleTails(entity: string, histories: ReadonlyMap<string, readonly Entry[]>): string[] {
  const found: string[] = []
  for (const [key, entries] of histories) {
    const newest = newestOf(entries)
    const last = entries.at(-1)!
    if (compareVersions(last.version, newest.version) < 0)
      found.push(`${entity} ${key}: ends with ${formatVersion(last.version)} behind ${formatVersion(newest.version)}`)
  }
  return found
}

/**
 * G3: every row of the warehouse has the version of a record that says what the newest one says. A change that changes nothing is not sent,
 * nor one that was undone before it was sent, so it need not be the newest version itself.
 */
export async function outdatedRows(
  flow: Flow,
  entity: string,
  table: string,
  histories: ReadonlyMap<string, readonly Entry[]>,
): Promise<string[]> {
  const rows = await flow.warehouse.unsafe<{ key: string; version: Buffer }[]>(
    `SELECT tributary_key AS key, tributary_version AS version FROM ${table}`,
  )
  const found: string[] = []
  for (const { key, version } of rows) {
    const entries = histories.get(key)
    if (entries === undefined) continue
    const held = versionFromBytes(version)
    const { content } = newestOf(entries)
    if (!entries.some((entry) => entry.content === content && compareVersions(entry.version, held) === 0))
      found.push(
        `${entity} ${key}: is at ${formatVersion(held)}, which differs from ${formatVersion(newestOf(entries).version)}`,
      )
  }
  return found
}

function newestOf(entries: readonly Entry[]): Entry {
  return entries.reduce((newest, entry) => (compareVersions(entry.version, newest.version) >= 0 ? entry : newest))
}

/** How many records a topic holds whose value is not null. */
export async function countRecords(flow: Flow, topic: string): Promise<number> {
  const { declaration, kafka } = flow.environment()
  const live = new Map<string, boolean>()
  await readTopic(kafka, declaration.kafka.brokers, topic, ({ key, value }) => {
    live.set(key?.toString() ?? '', value !== null)
  })
  return [...live.values()].filter(Boolean).length
}
