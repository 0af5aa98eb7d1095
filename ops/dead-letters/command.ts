import { Command, InvalidArgumentError } from 'commander'
import { TributaryError } from '../../schemas/errors.ts'
import { captureDeadLetterTopic } from '../../schemas/topics.ts'
import { loadDeclaration } from '../declaration/declaration.ts'
import { createEnvironment } from '../process/environment.ts'
import { createLog } from '../process/log.ts'
import { keyShower } from './capture/key-shown.ts'
import { formatList, listLetters } from './capture/list.ts'
import type { LetterFilter } from './capture/open-letters.ts'
import { askSource, readLetters } from './capture/read.ts'
import { formatShown, showJson } from './capture/show.ts'
import { findHolder } from './holder.ts'
import { type ReplayFlags, replay } from './replay-command.ts'

interface CommonFlags {
  readonly file: string
  readonly json?: boolean
}

const LIMIT = 20
const LIMIT_MAX = 100_000
const QUIET_SECONDS = 60

/** `tributary dlq`: what was given up, why, and once more. */
export function deadLettersCommand(): Command {
  return new Command('dlq')
    .description('list, show and replay dead letters')
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(replayCommand())
}

function withCommon(command: Command): Command {
  return command
    .option('-f, --file <path>', 'the declaration', 'tributary.yaml')
    .option('--json', 'one JSON object instead of text')
}

interface ListFlags extends CommonFlags {
  readonly entity?: string
  readonly reason?: string
  readonly limit: number
  readonly showKeys?: boolean
}

function listCommand(): Command {
  return withCommon(new Command('list'))
    .description('count open dead letters by entity and reason, and list the oldest')
    .argument('<name>', 'a source of the declaration')
    .option('--entity <entity>', 'only those of this entity')
    .option('--reason <text>', 'only those whose reason holds this text')
    .option('--limit <number>', 'how many are listed', wholeNumber(0, LIMIT_MAX), LIMIT)
    .option('--show-keys', 'keys that are personal data too')
    .action(async (name: string, flags: ListFlags) => {
      const { environment, source } = open(flags, name)
      const letters = await readLetters(environment, source.name, flags, endless())
      const showKey = keyShower(environment.declaration.entities, flags.showKeys === true)
      const now = Date.now()
      const list = listLetters(source.name, letters.list(), letters.leftOut > 0, flags.limit, showKey, now)
      if (flags.json) console.log(JSON.stringify({ ok: true, ...list }))
      else for (const line of formatList(list, now)) console.log(line)
    })
}

interface ShowFlags extends CommonFlags {
  readonly showPersonal?: boolean
}

function showCommand(): Command {
  return withCommon(new Command('show'))
    .description('show one dead letter, and what the source has now for its row')
    .argument('<name>', 'a source of the declaration')
    .argument('<entity>', 'its entity')
    .argument('<key>', 'its key; of several fields: a JSON array of strings')
    .option('--show-personal', 'the key and the values of fields that are personal data too')
    .action(async (name: string, entity: string, key: string, flags: ShowFlags) => {
      const { environment, source } = open(flags, name)
      const [letter] = (await readLetters(environment, source.name, { entity, key }, endless())).list()
      if (letter === undefined)
        throw new TributaryError(
          'dead-letter-missing',
          `Source ${name} has no open dead letter of ${entity} with this key. List them: \`tributary dlq list ${name}\`.`,
        )
      const showPersonal = flags.showPersonal === true
      let now = null
      let failure: TributaryError | null = null
      try {
        now = await askSource(environment, source, letter)
      } catch (error) {
        if (!(error instanceof TributaryError)) throw error
        failure = error
      }
      const { declaration } = environment
      const shown = {
        source: source.name,
        letter,
        topic: captureDeadLetterTopic(declaration.name, source.name),
        key: keyShower(declaration.entities, showPersonal)(entity, key),
        now,
        showPersonal,
      }
      if (flags.json) {
        const error = failure && { error: { code: failure.code, message: failure.message } }
        console.log(JSON.stringify({ ok: failure === null, ...error, ...showJson(shown) }))
        if (failure !== null) process.exitCode = failure.exitCode
        return
      }
      for (const line of formatShown(shown, Date.now())) console.log(line)
      if (failure !== null) throw failure
    })
}

function replayCommand(): Command {
  return withCommon(new Command('replay'))
    .description('let the running capture process read rows again, and wait for what becomes of them')
    .argument('<name>', 'a source of the declaration')
    .argument('[entity]', 'only those of this entity')
    .argument('[key]', 'only this one')
    .option('--reason <text>', 'only those whose reason holds this text')
    .option('--dry-run', 'say what would be read again, and ask for nothing')
    .option('--no-wait', 'do not wait for what becomes of them')
    .option('--timeout <seconds>', 'give up when nothing was heard for so long', wholeNumber(1, 3_600), QUIET_SECONDS)
    .option('--show-keys', 'keys that are personal data too')
    .action(
      async (
        name: string,
        entity: string | undefined,
        key: string | undefined,
        flags: CommonFlags & ReplayFlags & { reason?: string },
      ) => {
        const { environment, source } = open(flags, name)
        const filter: LetterFilter = { entity, key, reason: flags.reason }
        await replay(environment, source, filter, flags)
      },
    )
}

function open({ file }: CommonFlags, name: string) {
  const declaration = loadDeclaration(file, process.env)
  const source = findHolder(declaration, name)
  return { environment: createEnvironment(declaration, createLog('silent')), source }
}

/** A signal that ends the command ends the process. */
function endless(): AbortSignal {
  return new AbortController().signal
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (Number.isInteger(number) && number >= min && number <= max) return number
    throw new InvalidArgumentError(`It is a whole number from ${min} to ${max}.`)
  }
}
