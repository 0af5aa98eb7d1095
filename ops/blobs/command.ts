import { Command } from 'commander'
import { TributaryError } from '../../schemas/errors.ts'
import type { Declaration } from '../declaration/declaration.ts'
import { openBlobStore } from '../process/blobs.ts'
import { openEnvironment } from '../process/environment.ts'
import { untilAskedToStop } from '../process/signals.ts'
import { type Collected, collectBlobs } from './collect.ts'
import { topicValues } from './topic-values.ts'

interface CollectFlags {
  readonly file: string
  readonly dryRun?: true
  readonly json?: true
}

/** `tributary blobs`: the store of large values. */
export function blobsCommand(): Command {
  return new Command('blobs')
    .description('look after the store of large values')
    .addCommand(
      new Command('collect')
        .description(
          'remove large values that no record refers to; only what is older than any record could be under way',
        )
        .option('-f, --file <path>', 'the declaration', 'tributary.yaml')
        .option('--dry-run', 'count what would be removed and remove nothing')
        .option('--json', 'one JSON object instead of text')
        .action(collect),
    )
}

async function collect(flags: CollectFlags): Promise<void> {
  const environment = openEnvironment(flags.file)
  const { declaration } = environment
  const store = openBlobStore(declaration)
  if (store === null)
    throw new TributaryError(
      'declaration-invalid',
      `${declaration.file} declares no \`blobs\`, so there is nothing to collect.`,
    )
  const signal = untilAskedToStop()
  const say = (text: string) => flags.json || console.log(text)
  const olderThanMs = blobAgeMs(declaration)
  const notRenewedSinceMs = Date.now() - olderThanMs
  say(`Values not referred to since ${new Date(notRenewedSinceMs).toISOString().slice(0, 16)}Z:`)
  const collected = await collectBlobs({
    store,
    notRenewedSinceMs,
    values: () => topicValues(environment, (topic) => say(`  reading ${topic}`), signal),
    dryRun: flags.dryRun === true,
    signal,
  })
  if (flags.json) console.log(JSON.stringify({ ok: true, dryRun: flags.dryRun === true, olderThanMs, ...collected }))
  else for (const line of formatCollected(collected, flags.dryRun === true)) console.log(line)
}

/** A subscriber may be as late as `topics.deleteRetention`; what it is about to fetch must be there beyond that. */
function blobAgeMs({ blobs, topics }: Declaration): number {
  return (blobs?.keepMs ?? 0) + topics.deleteRetentionMs
}

const MEGABYTE = 1024 ** 2

function formatCollected({ removed, removedBytes, referenced, young, renewed }: Collected, dryRun: boolean): string[] {
  const megabytes = (removedBytes / MEGABYTE).toFixed(1)
  return [
    `${dryRun ? 'Would remove' : 'Removed'} ${removed} (${megabytes} MB). Kept ${referenced} that records refer to, ${young} that are too young` +
      `${renewed > 0 ? `, ${renewed} that were renewed meanwhile` : ''}.`,
    ...(dryRun && removed > 0 ? ['Next: run it without --dry-run.'] : []),
  ]
}
