import { Command } from 'commander'
import { appliedVersion, type StoredEntry } from '../../consumers/ledger/stored-entry.ts'
import { TributaryError } from '../../schemas/errors.ts'
import { entityTopic } from '../../schemas/topics.ts'
import { redrawnLine } from '../cli/redrawn-line.ts'
import { loadTransforms } from '../declaration/subscribers/custom-transforms.ts'
import type { DeclaredSubscriber } from '../declaration/subscribers/declared.ts'
import { findSubscriber, openDestination, peekLedger } from '../process/delivery.ts'
import { type Environment, openEnvironment } from '../process/environment.ts'
import { formatPreview, previewJson, type ShownPreview } from './format.ts'
import { decodeRecord, newestRecord } from './newest-record.ts'
import { previewChange } from './preview.ts'

interface PreviewFlags {
  readonly file: string
  readonly full?: true
  readonly showPersonal?: true
  readonly json?: true
}

const REDRAW_INTERVAL_MS = 250

/** `tributary preview <subscriber> <entity> <key>`: the request that would be sent for the newest record of a key. Sends and marks nothing. */
export function previewCommand(): Command {
  return new Command('preview')
    .description('show the request that a subscriber would be sent for the newest record of a key; sends nothing')
    .argument('<subscriber>', 'a subscriber of the declaration')
    .argument('<entity>', 'an entity that it takes')
    .argument('<key>', 'the key of an object: its text, or a JSON array of texts when it has several parts')
    .option('-f, --file <path>', 'the declaration', 'tributary.yaml')
    .option('--full', 'the patch of every mapped field, as a new subscriber would get it')
    .option('--show-personal', 'show values that the declaration says are personal')
    .option('--json', 'one JSON object instead of text')
    .action(async (subscriber: string, entity: string, key: string, flags: PreviewFlags) => {
      const environment = openEnvironment(flags.file)
      await loadTransforms(environment.declaration)
      const shown = await preview(environment, findSubscriber(environment.declaration, subscriber), entity, key, flags)
      if (flags.json) console.log(JSON.stringify(previewJson(shown)))
      else for (const line of formatPreview(shown)) console.log(line)
    })
}

async function preview(
  environment: Environment,
  subscriber: DeclaredSubscriber,
  entity: string,
  key: string,
  flags: PreviewFlags,
): Promise<ShownPreview> {
  const { declaration, kafka } = environment
  const mapping = subscriber.mappings.find((one) => one.entity.name === entity)
  if (mapping === undefined)
    throw new TributaryError(
      'declaration-invalid',
      `Subscriber ${subscriber.name} does not take ${entity}; it takes ${subscriber.mappings.map((one) => one.entity.name).join(', ')}.`,
    )
  const topic = entityTopic(declaration.name, entity)
  // A large partition takes a while.
  const line = redrawnLine({ quietMs: REDRAW_INTERVAL_MS, everyMs: REDRAW_INTERVAL_MS })
  const tell = (records: number) => line.draw(() => `${topic}: ${records} records read`)
  const { brokers } = declaration.kafka
  const { partition, record } = await newestRecord(kafka, brokers, topic, key, tell).finally(line.end)
  if (record === null)
    throw new TributaryError(
      'record-missing',
      `Topic ${topic} has no record of this key in partition ${partition}, where it would be. Check how the key is written.`,
    )
  const change = await decodeRecord(environment.registry, entity, key, record)
  const stored = await peekLedger(environment, { subscriber: subscriber.name, entity, partition }, key)
  const destination = openDestination(subscriber)
  try {
    const previewed = previewChange(mapping, change, stored, destination, {
      fingerprintKey: declaration.ledger.fingerprintKey,
      showPersonal: flags.showPersonal === true,
      full: flags.full === true,
    })
    return {
      ...previewed,
      subscriber: subscriber.name,
      type: subscriber.type,
      entity,
      key,
      record: { topic, partition, offset: record.offset },
      op: change.op,
      version: change.version,
      ledger: ledgerView(stored),
    }
  } finally {
    await destination.close()
  }
}

function ledgerView(stored: StoredEntry | null): ShownPreview['ledger'] {
  if (stored === null) return null
  const { state, uncertain } = stored.entry
  return { state, uncertain, version: appliedVersion(stored) }
}
