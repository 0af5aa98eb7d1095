import type { IncomingRecord } from '../../../connectors/kafka/consumer.ts'
import { readTopic } from '../../../connectors/kafka/read-topic.ts'
import { openSource } from '../../../ops/process/capture.ts'
import { valueSubject } from '../../../schemas/avro.ts'
import { createDeltaDecoder } from '../../../schemas/codec.ts'
import { parseDeletion } from '../../../schemas/deletion.ts'
import type { Change } from '../../../schemas/delta.ts'
import { isFence } from '../../../schemas/fence.ts'
import { formatKey } from '../../../schemas/key.ts'
import { formatVersion } from '../../../schemas/version.ts'
import type { Flow } from '../flow.ts'
import type { ComparedTable } from '../rows.ts'

type Compared = Pick<ComparedTable, 'source' | 'key'> & { readonly entity: string }

const SHOWN_MAX = 5
const STORY_RECORDS_MAX = 60

/**
 * Compares what an entity's topic ends with, record by record and field by field, with the table as the source itself reads it.
 * @returns a text for each of the first keys that differ: what is wrong, and its records in order
 */
export async function topicDifferences(flow: Flow, compared: Compared): Promise<string[]> {
  const { entity } = compared
  const topic = `${flow.prefix}.${entity}`
  const { declaration, kafka, registry } = flow.environment()
  const decoder = createDeltaDecoder(registry)
  const records = new Map<string, IncomingRecord[]>()
  await readTopic(kafka, declaration.kafka.brokers, topic, (record) => {
    if (isFence(record)) return
    const key = record.key!.toString()
    records.set(key, [...(records.get(key) ?? []), record])
  })
  const read = async (key: string, { value, headers }: IncomingRecord): Promise<Change> =>
    value === null ? parseDeletion(entity, key, headers) : await decoder.decode(valueSubject(topic), key, value)
  const rows = await readRows(flow, compared)
  const found: string[] = []
  for (const key of new Set([...rows.keys(), ...records.keys()])) {
    const row = rows.get(key)
    const last = records.get(key)?.at(-1)
    const change = last && (await read(key, last))
    const is = change === undefined || change.op === 'delete' ? undefined : textOf(change.after)
    if (is === row) continue
    const fault = is === undefined ? 'is in the table only' : row === undefined ? 'is on the topic only' : 'differs'
    const lines: string[] = []
    for (const record of (records.get(key) ?? []).slice(-STORY_RECORDS_MAX))
      lines.push(tell(record, await read(key, record)))
    found.push(`${entity} ${key} ${fault}\n  topic: ${brief(is)}\n  table: ${brief(row)}\n  ${lines.join('\n  ')}`)
    if (found.length === SHOWN_MAX) break
  }
  return found
}

/** A key's records in order: where each is, its version, what it does, when it was sent and when it was captured. */
export async function storiesOf(flow: Flow, entity: string, keys: readonly string[]): Promise<string[]> {
  const topic = `${flow.prefix}.${entity}`
  const { declaration, kafka, registry } = flow.environment()
  const decoder = createDeltaDecoder(registry)
  const records: { readonly key: string; readonly record: IncomingRecord }[] = []
  await readTopic(kafka, declaration.kafka.brokers, topic, (record) => {
    if (isFence(record)) return
    const key = record.key!.toString()
    if (keys.includes(key)) records.push({ key, record })
  })
  const lines: string[] = []
  for (const { key, record } of records) {
    const { value, headers } = record
    const change =
      value === null ? parseDeletion(entity, key, headers) : await decoder.decode(valueSubject(topic), key, value)
    lines.push(`${entity} ${key} ${tell(record, change)}`)
  }
  return lines
}

function tell({ partition, offset, timestampMs }: IncomingRecord, { op, version, source }: Change): string {
  const time = (ms: number) => new Date(ms).toISOString().slice(11, 23)
  return (
    `${partition}@${offset} ${formatVersion(version)} ${op}, sent ${time(timestampMs)}, captured ` +
    `${time(Number(source.capturedAt / 1_000n))}, transaction ${source.transaction ?? '-'}`
  )
}

/** The table by key, each row as text. */
async function readRows(flow: Flow, { source, key, entity }: Compared): Promise<ReadonlyMap<string, string>> {
  const columns = key.map((name) => `"${name}"::text`).join(', ')
  const keys = (await flow.source.unsafe(`SELECT ${columns} FROM ${source}`).values()).map((parts) =>
    formatKey(parts as string[]),
  )
  const environment = flow.environment()
  const opened = openSource(environment, environment.declaration.sources.get('erp')!)
  try {
    const fields = environment.declaration.entities.get(entity)!.fields.map(({ name }) => name)
    const rows = await opened.hydrate(entity, keys, fields, [])
    return new Map([...rows].map(([one, row]) => [one, textOf(row)]))
  } finally {
    await opened.close()
  }
}

function textOf(fields: Readonly<Record<string, unknown>>): string {
  const sorted = Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify(sorted, (_name, part) =>
    typeof part === 'bigint'
      ? `${part}n`
      : typeof part === 'number' && !(Math.abs(part) < Infinity)
        ? String(part)
        : part,
  )
}

const BRIEF_CHARS = 200

function brief(text: string | undefined): string {
  if (text === undefined) return 'nothing'
  return text.length > BRIEF_CHARS ? `${text.slice(0, BRIEF_CHARS)}… (${text.length})` : text
}
