import { AVRO_CONVERTER, type PluginName } from './artifacts.ts'

/** How a Connect worker and its connectors are set, as their documentation names the settings. */
export type Settings = Readonly<Record<string, string | number | boolean>>

/** What is compared with what. `defaults` is what a quick start gives; the others change what is named. */
export type DebeziumName = 'debezium' | 'debezium-json' | 'debezium-avro' | 'debezium-prompt'

export const DEBEZIUM_NAMES: readonly DebeziumName[] = ['debezium', 'debezium-json', 'debezium-avro', 'debezium-prompt']

export const DEBEZIUM_TITLES: Readonly<Record<DebeziumName, string>> = {
  debezium: 'Debezium, defaults (JSON with schemas)',
  'debezium-json': 'Debezium, tuned, JSON without schemas',
  'debezium-avro': 'Debezium, tuned, Avro',
  'debezium-prompt': 'Debezium, tuned for latency, Avro',
}

const LARGE_BATCHES: Settings = {
  'max.batch.size': 20_000,
  'max.queue.size': 100_000,
  'producer.override.linger.ms': 50,
}

/** Debezium looks for changes every half second by default. */
const PROMPT: Settings = { 'poll.interval.ms': 10, 'producer.override.linger.ms': 0 }

const JSON_CONVERTER = 'org.apache.kafka.connect.json.JsonConverter'

interface Variant {
  readonly source: Settings
  readonly sink: Settings
  readonly converter: 'json-schemas' | 'json' | 'avro'
  readonly worker: Settings
}

const TUNED_SINK: Settings = {
  'batch.size': 5_000,
  'consumer.override.max.poll.records': 5_000,
  'consumer.override.fetch.max.bytes': 100_000_000,
  'consumer.override.max.partition.fetch.bytes': 20_000_000,
  'use.reduction.buffer': true,
}

/** A quicker start: plug-ins are found by what their jars declare, and these are not searched. */
export const DECLARED_PLUGINS: Settings = { 'plugin.discovery': 'service_load' }

export const VARIANTS: Readonly<Record<DebeziumName, Variant>> = {
  debezium: { source: {}, sink: {}, converter: 'json-schemas', worker: {} },
  'debezium-json': { source: LARGE_BATCHES, sink: {}, converter: 'json', worker: DECLARED_PLUGINS },
  'debezium-avro': { source: LARGE_BATCHES, sink: TUNED_SINK, converter: 'avro', worker: DECLARED_PLUGINS },
  'debezium-prompt': { source: PROMPT, sink: TUNED_SINK, converter: 'avro', worker: DECLARED_PLUGINS },
}

/** What a worker is set to for this variant: its converters, and what is tuned. */
export function workerSettings(name: DebeziumName, registryUrl: string): Settings {
  const { converter, worker } = VARIANTS[name]
  const both = (settings: Settings) =>
    Object.fromEntries(
      ['key', 'value'].flatMap((part) =>
        Object.entries(settings).map(([setting, value]) => [
          setting === '' ? `${part}.converter` : `${part}.converter.${setting}`,
          value,
        ]),
      ),
    )
  if (converter === 'avro')
    return {
      ...worker,
      ...both({
        '': AVRO_CONVERTER,
        // The registry's own interface, beside the one for Confluent's clients.
        'apicurio.registry.url': new URL('/apis/registry/v2', registryUrl).toString(),
        'apicurio.registry.auto-register': true,
        // The ids that Confluent's interface knows.
        'apicurio.registry.use-id': 'contentId',
        'apicurio.registry.as-confluent': true,
        'apicurio.registry.headers.enabled': false,
      }),
    }
  return { ...worker, ...both({ '': JSON_CONVERTER, 'schemas.enable': converter === 'json-schemas' }) }
}

export interface SourceOrder {
  readonly name: DebeziumName
  readonly connector: string
  readonly url: string
  readonly topicPrefix: string
  readonly slot: string
  readonly publication: string
}

export function sourceSettings({ name, connector, url, topicPrefix, slot, publication }: SourceOrder): Settings {
  const { hostname, port, username, password, pathname } = new URL(url)
  return {
    name: connector,
    'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
    'tasks.max': 1,
    'plugin.name': 'pgoutput',
    'database.hostname': hostname,
    'database.port': port,
    'database.user': decodeURIComponent(username),
    'database.password': decodeURIComponent(password),
    'database.dbname': pathname.slice(1),
    'topic.prefix': topicPrefix,
    'table.include.list': 'public.customers',
    'slot.name': slot,
    'publication.name': publication,
    'publication.autocreate.mode': 'disabled',
    // What tributary tells itself through the log: each would be a record, on a topic that is not there.
    'message.prefix.exclude.list': 'tributary.*',
    ...VARIANTS[name].source,
  }
}

export interface SinkOrder {
  readonly name: DebeziumName
  readonly connector: string
  readonly url: string
  readonly topic: string
}

export function sinkSettings({ name, connector, url, topic }: SinkOrder): Settings {
  const { hostname, port, username, password, pathname } = new URL(url)
  return {
    name: connector,
    'connector.class': 'io.debezium.connector.jdbc.JdbcSinkConnector',
    'tasks.max': 1,
    topics: topic,
    'connection.url': `jdbc:postgresql://${hostname}:${port}${pathname}`,
    'connection.username': decodeURIComponent(username),
    'connection.password': decodeURIComponent(password),
    'insert.mode': 'upsert',
    'primary.key.mode': 'record_key',
    'delete.enabled': true,
    'schema.evolution': 'none',
    'collection.name.format': 'customers',
    'consumer.override.auto.offset.reset': 'earliest',
    ...VARIANTS[name].sink,
  }
}

/** The plug-ins that a worker of this variant needs. */
export function pluginsOf(name: DebeziumName, connector: 'source' | 'sink'): readonly PluginName[] {
  return VARIANTS[name].converter === 'avro' ? [connector, 'avro'] : [connector]
}
