import { z } from 'zod'
import { ENTITY_CLASSES } from '../../schemas/entity.ts'
import {
  duration,
  fieldType,
  mapping,
  matching,
  NAME,
  named,
  oneOf,
  postgresUrl,
  size,
  text,
  whole,
  written,
} from './forms.ts'
import { DURATION, parseDurationMs, parseTable } from './notation.ts'
import { kafka, redis, registry } from './servers/definition.ts'
import { subscriber } from './subscribers/definition.ts'

/**
 * What may stand in `tributary.yaml`: the one source of the parser, the types and the editors' schema.
 * Names (the keys of sources, entities, fields and subscribers) are checked in cross-checks.ts: zod skips the value of a bad key.
 */

const PIPELINE_NAME = /^[a-z][a-z0-9-]{0,39}$/
/** Field names are Avro names. */
export const FIELD_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/
const SLOT_NAME = /^[a-z0-9_]{1,63}$/

export const FIELDS_MAX = 1000
const FINGERPRINT_KEY_CHARACTERS_MIN = 32
const CHUNK_ROWS_MAX = 100_000
const SNAPSHOT_TABLES_MAX = 8
const ROWS_PER_SECOND_MAX = 1_000_000
const PARTITIONS_MAX = 1000

/** Longer than a day would be longer than a timer can wait. */
const HEARTBEAT_MS = { min: 1000, max: 86_400_000 }
const HEARTBEAT = 'a duration from `1s` to `1d`, or `off`'
const heartbeat = () =>
  matching(new RegExp(`^(?:off|0s|${DURATION.source.slice(1, -1)})$`), HEARTBEAT).refine(
    (value) => {
      const ms = parseDurationMs(value)
      return ms === undefined || (ms >= HEARTBEAT_MS.min && ms <= HEARTBEAT_MS.max)
    },
    { error: `must be ${HEARTBEAT}` },
  )

const topics = mapping({
  deleteRetention: duration()
    .default('7d')
    .describe('How long a delete can be seen: at least the longest outage a subscriber may have.'),
  erasure: duration()
    .default('30d')
    .describe('The longest time an old value may stay on a topic after it was changed or deleted.'),
  minCompactionLag: duration()
    .default('1h')
    .describe('How long every change stays on its topic before compaction may drop it.'),
})

const blobs = mapping({
  type: oneOf(['folder', 's3']).describe('A folder that every process sees, or a store with the API of Amazon S3.'),
  path: text('the path of a folder')
    .optional()
    .describe('The folder, from where this file is; each pipeline has one of its own in it. For `folder` only.'),
  keep: duration()
    .default('7d')
    .describe('How long a value stays after the last reference to it was made, beyond `topics.deleteRetention`.'),
  endpoint: matching(/^https?:\/\/[^\s/@]+\/?$/, 'an address such as `https://s3.eu-central-1.amazonaws.com`')
    .optional()
    .describe('The address of the store. For `s3` only, as all that follows.'),
  bucket: matching(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'the name of a bucket')
    .optional()
    .describe('The bucket. It has to be there; nothing else should remove objects in it.'),
  region: matching(/^[a-z0-9-]{1,40}$/, 'a region such as `eu-central-1`')
    .optional()
    .describe('The region that requests are signed for. Default: us-east-1.'),
  prefix: matching(/^(?:[A-Za-z0-9_-]{1,60}\/){1,8}$/, 'letters, digits, - and _ in parts that each end with /')
    .optional()
    .describe("What the names of objects begin with, before the pipeline's name and `/`. Default: nothing."),
  accessKeyId: text().optional().describe('The access key.'),
  secretAccessKey: text().optional().describe('The secret of the access key.'),
})

const claims = mapping({
  above: size()
    .default('256KB')
    .describe('A string, json or bytes larger than this goes to the blob store; its record refers to it.'),
  recordMax: size()
    .default('8MB')
    .describe('The largest record, from 64KB to 11MB. A row that needs more becomes a capture dead letter.'),
})

const source = mapping({
  type: oneOf(['postgres']).describe('The kind of system.'),
  url: postgresUrl().describe('The address of the database: `postgres://user:password@host:5432/database`.'),
  slot: matching(SLOT_NAME, '1 to 63 lower-case letters, digits or _')
    .optional()
    .describe('The replication slot. Default: `tributary_<name>_<source>`.'),
  publication: matching(SLOT_NAME, '1 to 63 lower-case letters, digits or _')
    .optional()
    .describe('The publication. Default: `tributary_<name>_<source>`.'),
  heartbeat: heartbeat()
    .default('30s')
    .describe('How often a small message is sent through the slot, so that it moves while other tables are busy.'),
  walWarning: size()
    .default('1GB')
    .describe('From how much kept log on to warn, where the server has no max_slot_wal_keep_size.'),
  snapshot: mapping({
    chunkRows: whole(1, CHUNK_ROWS_MAX)
      .default(5000)
      .describe('How many rows a snapshot reads at a time: what is read again after a crash.'),
    tables: whole(1, SNAPSHOT_TABLES_MAX).default(2).describe('How many tables are read side by side.'),
    rowsPerSecond: whole(1, ROWS_PER_SECOND_MAX)
      .optional()
      .describe('The most rows that snapshots read in a second. Default: no limit.'),
  })
    .prefault({})
    .describe('How the state of tables is read.'),
  onLostHistory: oneOf(['resnapshot', 'hold'])
    .default('resnapshot')
    .describe(
      'When changes may be missing (the slot is lost, the database was set back): read every table again and delete what vanished (resnapshot), or wait for `tributary recover` (hold).',
    ),
})

const field = z
  .union(
    [
      fieldType(),
      mapping(
        {
          type: fieldType().describe('The type of the field.'),
          personal: z
            .boolean({ error: '`true` or `false`' })
            .default(false)
            .describe('Whether it is data about a person: never logged, shown masked.'),
          column: text().optional().describe("The source's column. Default: the field's name."),
        },
        'a type, or a mapping with `type`',
      ),
    ],
    { error: 'a type, or a mapping with `type`' },
  )
  .describe('A type, or a mapping of type, column and whether it is personal.')

const entity = mapping({
  source: text('the name of a source').describe('The source its changes are captured from.'),
  table: written(parseTable, 'a table such as `public.customers`').describe(
    'The table at the source: `table`, `schema.table` or `"Schema"."Table"`. Default schema: public.',
  ),
  key: z
    .union([text(), z.array(text('the name of a field')).min(1, { error: 'the name of a field, or a list of them' })], {
      error: 'the name of a field, or a list of them',
    })
    .describe('The field that identifies one object, or a list of them.'),
  class: oneOf(ENTITY_CLASSES)
    .default('standard')
    .describe('Critical entities have a consumer group, concurrency and breaker of their own.'),
  owner: text('the team or person who answers for this entity').describe(
    'The team or person who answers for this entity.',
  ),
  authority: text().optional().describe('The system whose word counts for this entity. Default: its source.'),
  consistency: oneOf(['eventual']).default('eventual').describe('What subscribers may rely on.'),
  freshness: duration().describe('How late a subscriber may be before it is an alert, such as `15m`.'),
  partitions: whole(1, PARTITIONS_MAX)
    .default(6)
    .describe('Partitions of the topic. Cannot be changed later: it would break the order of keys.'),
  fields: named(field, FIELD_NAME, 'a mapping of field names to types').describe('The fields, by name.'),
})

export const definition = mapping({
  name: matching(PIPELINE_NAME, '1 to 40 lower-case letters, digits or -, the first a letter').describe(
    'The name of the pipeline: the prefix of its topics, groups and slots.',
  ),
  kafka: kafka.describe('The Kafka cluster.'),
  registry: registry.describe('The schema registry.'),
  redis: redis.describe('Redis, which holds the ledger.'),
  ledger: mapping({
    fingerprintKey: z
      .string({ error: `text of at least ${FINGERPRINT_KEY_CHARACTERS_MIN} characters` })
      .min(FINGERPRINT_KEY_CHARACTERS_MIN, { error: `text of at least ${FINGERPRINT_KEY_CHARACTERS_MIN} characters` })
      .describe('The secret that keys the fingerprints of applied values: they would reveal personal data without it.'),
  }).describe('What subscribers last applied.'),
  topics: topics.prefault({}).describe('How long topics keep what.'),
  blobs: blobs.optional().describe('Where large values are. Without it they travel in their records.'),
  claims: claims.prefault({}).describe('What counts as large.'),
  transforms: text('the path of a file such as `./transforms.ts`')
    .optional()
    .describe("The file with this pipeline's own transforms, from where this file is."),
  sources: named(source, NAME, 'a mapping of source names').describe('The systems that changes come from, by name.'),
  entities: named(entity, NAME, 'a mapping of entity names').describe('The business objects, by name.'),
  subscribers: named(subscriber, NAME, 'a mapping of subscriber names')
    .default({})
    .describe('The systems that changes are applied to, by name.'),
}).describe('A pipeline of tributary: sources, entities and subscribers.')

export type Declared = z.output<typeof definition>
