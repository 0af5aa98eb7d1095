import { Command, InvalidArgumentError, Option } from 'commander'
import { type Declaration, loadDeclaration } from '../declaration/declaration.ts'
import { createEnvironment } from '../process/environment.ts'
import { createLog } from '../process/log.ts'
import { formatAcls, planAcls } from './acls.ts'
import { asyncApiOf } from './asyncapi.ts'
import { type PlanStep, planProvision } from './provision.ts'
import { formatStrimzi, kafkaTopics } from './strimzi.ts'
import { wantedTopics } from './topics.ts'

const FORMATS = ['strimzi', 'acls', 'asyncapi'] as const
const PRINCIPAL_PREFIX = 'User:'

interface ProvisionFlags {
  readonly file: string
  readonly dryRun?: boolean
  readonly format?: (typeof FORMATS)[number]
  readonly cluster?: string
  readonly principalPrefix?: string
  readonly json?: boolean
}

/** `tributary provision`: prints what is to be done, then does it. With `--format` it only prints, for other tools. */
export function provisionCommand(): Command {
  return new Command('provision')
    .description('make or adjust schemas, topics, publications and tables; run it again at will')
    .option('-f, --file <path>', 'the declaration', 'tributary.yaml')
    .option('--dry-run', 'print the plan and change nothing')
    .addOption(
      new Option(
        '--format <format>',
        'ask no server and make nothing: print the topics as resources of Strimzi or as AsyncAPI, or the rights that the processes need of Kafka',
      ).choices(FORMATS),
    )
    .option('--cluster <name>', 'with --format strimzi: the Kafka resource that the topics are of', clusterName)
    .option(
      '--principal-prefix <text>',
      `with --format acls: what stands before the names of principals (default: "${PRINCIPAL_PREFIX}")`,
      principalPrefix,
    )
    .option('--json', 'one JSON object instead of text')
    .action(async (flags: ProvisionFlags) => {
      requireFitting(flags)
      const declaration = loadDeclaration(flags.file, process.env)
      if (flags.format !== undefined) return print(declaration, flags)
      const environment = createEnvironment(declaration, createLog('error'))
      const plan = await planProvision(environment)
      const open = plan.steps.filter(({ action }) => action !== null)
      const say = (text: string) => flags.json || console.log(text)
      say(`Plan: ${open.length} to do, ${plan.steps.length - open.length} as they should be.`)
      for (const step of plan.steps) say(formatStep(step))
      if (!flags.dryRun) {
        let done = 0
        await plan.apply(({ area, name }) => say(`  ${++done}/${open.length} done: ${area} ${name}`))
        say(
          open.length === 0
            ? 'Nothing to do.'
            : 'Done. Next: `tributary run`, or `tributary capture` and `tributary deliver`.',
        )
      }
      if (flags.json) console.log(JSON.stringify({ ok: true, applied: !flags.dryRun, steps: plan.steps }))
    })
}

/** @throws InvalidArgumentError for flags of another format */
function requireFitting({ format, cluster, principalPrefix: prefix }: ProvisionFlags): void {
  if ((format === 'strimzi') !== (cluster !== undefined))
    throw new InvalidArgumentError('--format strimzi and --cluster belong together.')
  if (prefix !== undefined && format !== 'acls')
    throw new InvalidArgumentError('--principal-prefix is for --format acls.')
}

function print(declaration: Declaration, { format, cluster, principalPrefix: prefix, json }: ProvisionFlags): void {
  if (format === 'strimzi') {
    const topics = kafkaTopics(wantedTopics(declaration), cluster!)
    process.stdout.write(json ? `${JSON.stringify({ ok: true, format, topics })}\n` : formatStrimzi(topics))
    return
  }
  if (format === 'asyncapi') {
    const document = asyncApiOf(declaration)
    process.stdout.write(
      json ? `${JSON.stringify({ ok: true, format, document })}\n` : `${JSON.stringify(document, null, 2)}\n`,
    )
    return
  }
  const acls = planAcls(declaration, prefix ?? PRINCIPAL_PREFIX)
  process.stdout.write(json ? `${JSON.stringify({ ok: true, format, acls })}\n` : formatAcls(acls))
}

function clusterName(text: string): string {
  if (/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text)) return text
  throw new InvalidArgumentError('It is a name in Kubernetes: at most 63 lower-case letters, digits or -.')
}

/** In a script for a shell it stands in single quotes. */
function principalPrefix(text: string): string {
  if (/^[A-Za-z]+:[A-Za-z0-9=._@/ -]*$/.test(text)) return text
  throw new InvalidArgumentError('It is a type and what names begin with, such as User: or User:CN=.')
}

const AREA_WIDTH = 11
const NAME_WIDTH = 40
const LINE_WIDTH = 100

/** A line a step, cut to the width of a terminal; `--json` has all of it. */
function formatStep({ area, name, action }: PlanStep): string {
  const line = `  ${action === null ? '=' : '+'} ${area.padEnd(AREA_WIDTH)} ${name.padEnd(NAME_WIDTH)} ${action ?? 'ok'}`
  return line.length > LINE_WIDTH ? `${line.slice(0, LINE_WIDTH - 1)}…` : line
}
