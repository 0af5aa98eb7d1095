import { Command, InvalidArgumentError } from 'commander'
import type { ErrorCode } from '../../schemas/errors.ts'
import { KEY_BYTES_MAX } from '../../schemas/key.ts'
import { wholeNumber } from '../cli/options.ts'
import { progressLine } from '../dead-letters/subscriber/progress-line.ts'
import { WIDTH_MAX, wrap } from '../declaration/report/terminal-text.ts'
import { safeText } from '../demo/view/width.ts'
import { findSubscriber } from '../process/delivery.ts'
import { openEnvironment } from '../process/environment.ts'
import { formatBar } from './bar.ts'
import { askForResync, resyncCommands } from './resync.ts'
import type { ResyncTally } from './tally.ts'

interface ResyncFlags {
  readonly file: string
  readonly wait: boolean
  readonly timeout: number
  readonly json?: boolean
}

const QUIET_SECONDS = 60
const QUIET_SECONDS_MAX = 3_600
const FAILURES_SHOWN_MAX = 20

/** `tributary resync <subscriber> [entity] [key]`: has what the topics hold sent again in full, whatever was sent before. */
export function resyncCommand(): Command {
  return new Command('resync')
    .description('send what the topics hold to a subscriber again, every mapped field, whatever its ledger says')
    .argument('<subscriber>', 'a subscriber of the declaration')
    .argument('[entity]', 'only this one; every entity of the subscriber when there is none')
    .argument('[key]', 'only this key; of several fields: a JSON array of strings')
    .option('--no-wait', 'do not wait for its end')
    .option(
      '--timeout <seconds>',
      'give up when nothing was heard for so long',
      wholeNumber(1, QUIET_SECONDS_MAX),
      QUIET_SECONDS,
    )
    .option('-f, --file <path>', 'the declaration', 'tributary.yaml')
    .option('--json', 'one JSON object instead of text')
    .action(async (name: string, entity: string | undefined, key: string | undefined, flags: ResyncFlags) => {
      if (key !== undefined && (key === '' || Buffer.byteLength(key) > KEY_BYTES_MAX))
        throw new InvalidArgumentError(`a key has 1 to ${KEY_BYTES_MAX} bytes`)
      const environment = openEnvironment(flags.file)
      const subscriber = findSubscriber(environment.declaration, name)
      const commands = resyncCommands(subscriber, entity, key, new Date())
      const beganAt = performance.now()
      const line = progressLine()
      const options = {
        wait: flags.wait,
        quietMsMax: flags.timeout * 1_000,
        onNews: ({ done, answered, partitions }: { done: number; answered: number; partitions: number }) =>
          line.tell(
            `resync of ${name} ${formatBar(done, performance.now() - beganAt)} · ${answered} of ${partitions} partitions`,
          ),
      }
      const endless = new AbortController().signal
      const tally = await askForResync(environment, name, commands, options, endless).finally(line.end)
      report(name, tally, flags)
    })
}

function report(subscriber: string, tally: ResyncTally, flags: ResyncFlags): void {
  const { partitions, answered, keys } = tally.news()
  const error = flags.wait ? problemOf(subscriber, tally) : null
  if (error !== null) process.exitCode = 1
  if (flags.json) {
    const facts = { subscriber, waited: flags.wait, partitions, answered, keys, failed: tally.failed }
    console.log(JSON.stringify({ ok: error === null, ...(error && { error }), ...facts }))
    return
  }
  const say = (words: string) => {
    for (const line of wrap(safeText(words), WIDTH_MAX)) console.log(line)
  }
  if (!flags.wait) {
    say(`Asked for a resync of ${subscriber} (${count(partitions, 'partition')}).`)
    return
  }
  say(`${count(keys, 'key')} of ${count(answered, 'partition')} sent again to ${subscriber}.`)
  for (const { entity, partition, code } of tally.failed.slice(0, FAILURES_SHOWN_MAX))
    say(`  ${entity}, partition ${partition}: ${code}`)
  if (error !== null) say(error.message)
}

function problemOf(subscriber: string, { waiting, failed }: ResyncTally): { code: ErrorCode; message: string } | null {
  if (waiting.length > 0)
    return {
      code: 'command-unanswered',
      message:
        `Nothing more was heard of ${count(waiting.length, 'partition')} of subscriber ${subscriber}. Is \`tributary deliver ${subscriber}\` ` +
        'running? The commands are kept on their topic and are carried out when it comes to them: look at `tributary status`, and do ' +
        'not ask again.',
    }
  if (failed.length > 0)
    return {
      code: 'command-failed',
      message: `${count(failed.length, 'partition')} of subscriber ${subscriber} could not be sent again. Mend what the codes say, and run it again.`,
    }
  return null
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
