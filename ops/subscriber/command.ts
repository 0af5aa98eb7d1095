import { writeFileSync } from 'node:fs'
import { Command, Option } from 'commander'
import { TributaryError } from '../../schemas/errors.ts'
import { checkDeclaration, describeProblems, readDeclaration } from '../declaration/declaration.ts'
import { NAME } from '../declaration/forms.ts'
import { formatProblem } from '../declaration/problem.ts'
import { SUBSCRIBER_TYPES, type SubscriberType } from '../declaration/subscribers/kinds.ts'
import {
  insertSubscriber,
  readPipeline,
  type WrittenEntity,
  type WrittenPipeline,
} from '../declaration/yaml/insert-subscriber.ts'
import { type Draft, draftSubscriber, exampleEnvironment } from './draft.ts'

interface NewFlags {
  readonly file: string
  readonly type: SubscriberType
  readonly entities?: string
  readonly print?: true
  readonly json?: true
}

/** `tributary subscriber new <name> --type …`: writes a subscriber into the declaration, to be completed by hand. */
export function subscriberCommand(): Command {
  return new Command('subscriber').description('add a subscriber').addCommand(
    new Command('new')
      .description('write a subscriber into the declaration: its options, entities and fields, to be completed by hand')
      .argument('<name>', 'its name: lower-case letters, digits and -')
      .addOption(new Option('--type <type>', 'the kind of system').choices(SUBSCRIBER_TYPES).makeOptionMandatory())
      .option('-f, --file <path>', 'the declaration', 'tributary.yaml')
      .option('--entities <names>', 'the entities it takes, separated by commas; all of them when it is left out')
      .option('--print', 'print what would be written, and leave the file as it is')
      .option('--json', 'one JSON object instead of text')
      .action((name: string, flags: NewFlags) => {
        const { lines, output } = addSubscriber(name, flags)
        if (flags.json) console.log(JSON.stringify(output))
        else for (const line of lines) console.log(line)
      }),
  )
}

function addSubscriber(name: string, flags: NewFlags): { lines: readonly string[]; output: object } {
  const { file, type, print = false } = flags
  const text = readDeclaration(file)
  const pipeline = readPipeline(text)
  if (pipeline === undefined)
    throw new TributaryError('declaration-invalid', `${file} cannot be read as YAML: run \`tributary validate\` first.`)
  checkName(name, pipeline, file)
  const draft = draftSubscriber(name, type, chosen(flags.entities, pipeline, file))
  const left = draft.leftOut.map(({ entity, reason }) => `${entity} is left out: ${reason}.`)
  if (draft.leftOut.length > 0 && !draft.lines.some((line) => /^ {4}\S/.test(line)))
    throw new TributaryError('declaration-invalid', `Nothing is left to take. ${left.join(' ')}`)
  const inserted = insertSubscriber(text, draft.lines)
  if (inserted === undefined && !print)
    throw new TributaryError(
      'declaration-invalid',
      `There is no place in ${file} where a subscriber could be added, as \`subscribers\` is written in braces: write it over several lines, or use --print and put it there by hand.`,
    )
  if (inserted !== undefined) checkForm(inserted.text, text, name, flags)
  const next = ['tributary validate', 'tributary provision', `tributary deliver ${name}`]
  const common = { ok: true, subscriber: name, type, file, variables: draft.variables, leftOut: draft.leftOut, next }
  if (print) return { lines: draft.lines, output: { ...common, written: false, text: `${draft.lines.join('\n')}\n` } }
  writeFileSync(file, inserted!.text)
  return {
    lines: said(name, file, inserted!.line, draft, left, next),
    output: { ...common, written: true, line: inserted!.line },
  }
}

function said(
  name: string,
  file: string,
  line: number,
  { variables }: Draft,
  left: readonly string[],
  next: readonly string[],
): readonly string[] {
  return [
    `Wrote subscriber ${name} to ${file}:${line}.`,
    ...left,
    '',
    'Set these in its environment:',
    ...variables.map((variable) => `  ${variable}`),
    '',
    `Then set targets, keys and fields right in ${file}, and run`,
    ...next.map((command) => `  ${command}`),
  ]
}

function checkName(name: string, { subscribers }: WrittenPipeline, file: string): void {
  if (!NAME.test(name))
    throw new TributaryError(
      'declaration-invalid',
      'The name of a subscriber has 1 to 60 lower-case letters, digits or -, the first a letter.',
    )
  if (subscribers.includes(name))
    throw new TributaryError(
      'declaration-invalid',
      `There is a subscriber ${name} in ${file} already: choose another name.`,
    )
}

function chosen(names: string | undefined, { entities }: WrittenPipeline, file: string): readonly WrittenEntity[] {
  if (names === undefined) return entities
  return names.split(',').map((part) => {
    const name = part.trim()
    const entity = entities.find((one) => one.name === name)
    if (entity) return entity
    const known = entities.map((one) => one.name).join(', ')
    throw new TributaryError(
      'declaration-invalid',
      `There is no entity ${name} in ${file}; declared: ${known || 'none'}.`,
    )
  })
}

/** What is written has to be right but for what is to be set: nothing new may be wrong with it, given variables of the right form. */
function checkForm(after: string, before: string, name: string, { file, type }: NewFlags): void {
  const env = { ...process.env, ...exampleEnvironment(name, type) }
  const messages = (text: string) => checkDeclaration(text, file, env).problems
  const known = new Set(messages(before).map(({ path, message }) => `${path} ${message}`))
  const added = messages(after).filter(({ path, message }) => !known.has(`${path} ${message}`))
  if (added.length === 0) return
  throw new TributaryError('declaration-invalid', `The subscriber does not fit: ${describeProblems(file, added)}`, {
    cause: new Error(added.map(formatProblem).join('\n')),
  })
}
