import { Command, InvalidArgumentError, Option } from 'commander'
import { LETTER_STATES, type LetterState } from '../../schemas/dead-letter.ts'
import { REASON_CHARACTERS_MAX, reasonText } from '../../schemas/subscriber-command.ts'
import { wholeNumber } from '../cli/options.ts'
import { loadDeclaration } from '../declaration/declaration.ts'
import { parseDurationMs } from '../declaration/notation.ts'
import { findSubscriber } from '../process/delivery.ts'
import { createEnvironment } from '../process/environment.ts'
import { createLog } from '../process/log.ts'
import { listOfSource, showOfSource } from './capture/commands.ts'
import { findHolder } from './holder.ts'
import { replay } from './replay-command.ts'
import { listOfSubscriber, showOfSubscriber } from './subscriber/commands.ts'
import type { LetterFilter } from './subscriber/letters.ts'
import { orderOfSubscriber } from './subscriber/order-command.ts'

interface CommonFlags {
  readonly file: string
  readonly json?: boolean
  readonly subscriber?: boolean
}

/** What narrows the letters of a subscriber down, and those of a source not. */
interface FilterFlags {
  readonly code?: string
  readonly state?: LetterState
  readonly olderThan?: number
}

const LIMIT = 20
const LIMIT_MAX = 100_000
const QUIET_SECONDS = 60
const RATE_MAX = 100_000

/** `tributary dlq`: what was given up, why, and once more. */
export function deadLettersCommand(): Command {
  return new Command('dlq')
    .description('list, show, replay and discard dead letters')
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(replayCommand())
    .addCommand(discardCommand())
}

function withCommon(command: Command): Command {
  return command
    .option('-f, --file <path>', 'the declaration', 'tributary.yaml')
    .option('--json', 'one JSON object instead of text')
}

function withFilter(command: Command): Command {
  return command
    .option('--code <code>', 'only those with this code (subscribers)')
    .addOption(new Option('--state <state>', 'only those in this state (subscribers)').choices(LETTER_STATES))
    .option('--older-than <duration>', 'only those that failed so long ago, such as 30m or 2d (subscribers)', duration)
}

const asSubscriber = () => new Option('--subscriber', 'the subscriber, where a source has the same name')

function listCommand(): Command {
  return withFilter(withCommon(new Command('list')))
    .description('count open dead letters by entity and reason, and list the oldest')
    .argument('<name>', 'a source or a subscriber of the declaration')
    .addOption(asSubscriber())
    .option('--entity <entity>', 'only those of this entity')
    .option('--reason <text>', 'only those whose reason holds this text')
    .option('--limit <number>', 'how many are listed', wholeNumber(0, LIMIT_MAX), LIMIT)
    .option('--show-keys', 'keys that are personal data too')
    .action(
      async (
        name: string,
        flags: CommonFlags & FilterFlags & { entity?: string; reason?: string; limit: number; showKeys?: boolean },
      ) => {
        const { environment, holder } = open(flags, name)
        const { entity, reason } = flags
        if (holder.kind === 'subscriber')
          return listOfSubscriber(environment, holder.subscriber, filterOf(flags, { entity, reason }), flags, endless())
        refuseFilter(flags)
        return listOfSource(environment, holder.source, { entity, reason }, flags, endless())
      },
    )
}

function showCommand(): Command {
  return withCommon(new Command('show'))
    .description('show one dead letter, and what the source has now for its row, or the subscriber for its object')
    .argument('<name>', 'a source or a subscriber of the declaration')
    .argument('<entity>', 'its entity')
    .argument('<key>', 'its key; of several fields: a JSON array of strings')
    .addOption(asSubscriber())
    .option('--show-personal', 'the key and the values of fields that are personal data too')
    .action(async (name: string, entity: string, key: string, flags: CommonFlags & { showPersonal?: boolean }) => {
      const { environment, holder } = open(flags, name)
      return holder.kind === 'subscriber'
        ? showOfSubscriber(environment, holder.subscriber, entity, key, flags, endless())
        : showOfSource(environment, holder.source, entity, key, flags, endless())
    })
}

interface AskFlags extends CommonFlags, FilterFlags {
  readonly reason?: string
  readonly dryRun?: boolean
  readonly wait: boolean
  readonly timeout: number
  readonly rate?: number
  readonly showKeys?: boolean
}

function withWaiting(command: Command): Command {
  return command
    .option('--rate <number>', 'at most so many a second (subscribers)', wholeNumber(1, RATE_MAX))
    .option('--no-wait', 'do not wait for what becomes of them')
    .option('--timeout <seconds>', 'give up when nothing was heard for so long', wholeNumber(1, 3_600), QUIET_SECONDS)
    .option('--show-keys', 'keys that are personal data too')
}

function replayCommand(): Command {
  return withWaiting(withFilter(withCommon(new Command('replay'))))
    .description('have rows read, or refused records sent, once more, and wait for what becomes of them')
    .argument('<name>', 'a source or a subscriber of the declaration')
    .argument('[entity]', 'only those of this entity')
    .argument('[key]', 'only this one')
    .addOption(asSubscriber())
    .option('--reason <text>', 'only those whose reason holds this text')
    .option('--dry-run', 'say which, and ask for nothing')
    .action(async (name: string, entity: string | undefined, key: string | undefined, flags: AskFlags) => {
      const { environment, holder } = open(flags, name)
      const { reason } = flags
      if (holder.kind === 'subscriber') {
        const filter = filterOf(flags, { entity, key, reason })
        return orderOfSubscriber(environment, holder.subscriber, { kind: 'replay' }, filter, flags, true, endless())
      }
      refuseFilter(flags)
      return replay(environment, holder.source, { entity, key, reason }, flags)
    })
}

function discardCommand(): Command {
  return withWaiting(withFilter(withCommon(new Command('discard'))))
    .description('give up a dead letter of a subscriber for good, or with --all those that match')
    .argument('<subscriber>', 'a subscriber of the declaration')
    .argument('[entity]', 'its entity')
    .argument('[key]', 'its key')
    .requiredOption('--reason <text>', 'why: it is recorded with the end of the dead letter')
    .option('--all', 'all that match instead of one')
    .option('--yes', 'with --all: do it, instead of saying which')
    .action(
      async (
        name: string,
        entity: string | undefined,
        key: string | undefined,
        flags: AskFlags & { reason: string; all?: boolean; yes?: boolean },
      ) => {
        const declaration = loadDeclaration(flags.file, process.env)
        const subscriber = findSubscriber(declaration, name)
        const environment = createEnvironment(declaration, createLog('silent'))
        const reason = reasonText(flags.reason)
        if (reason === undefined)
          throw new InvalidArgumentError(`--reason has 1 to ${REASON_CHARACTERS_MAX} characters`)
        if (key === undefined && flags.all !== true)
          throw new InvalidArgumentError('name the entity and the key of one, or say --all')
        const isConfirmed = flags.all !== true || flags.yes === true
        const filter = filterOf(flags, { entity, key })
        const order = { kind: 'discard', reason } as const
        await orderOfSubscriber(environment, subscriber, order, filter, flags, isConfirmed, endless())
      },
    )
}

function filterOf(flags: FilterFlags, more: LetterFilter): LetterFilter {
  return { code: flags.code, state: flags.state, olderThanMs: flags.olderThan, ...more }
}

/** Capture dead letters have a field and a reason, and no codes or states. */
function refuseFilter({ code, state, olderThan, rate }: FilterFlags & { readonly rate?: number }): void {
  if (code !== undefined || state !== undefined || olderThan !== undefined || rate !== undefined)
    throw new InvalidArgumentError('--code, --state, --older-than and --rate are for subscribers: use --reason')
}

function open({ file, subscriber }: CommonFlags, name: string) {
  const declaration = loadDeclaration(file, process.env)
  const holder = findHolder(declaration, name, subscriber)
  return { environment: createEnvironment(declaration, createLog('silent')), holder }
}

/** A signal that ends the command ends the process. */
function endless(): AbortSignal {
  return new AbortController().signal
}

function duration(text: string): number {
  const ms = parseDurationMs(text)
  if (ms !== undefined) return ms
  throw new InvalidArgumentError('It is a number and a unit: 30s, 15m, 2h, 7d.')
}
