import { Command } from 'commander'
import { examineSource, findingsOf, type SourceExamination } from '../../connectors/postgres/examine.ts'
import { CATALOGUE, TributaryError } from '../../schemas/errors.ts'
import { openDestination } from '../process/delivery.ts'
import { capturedTables } from './captured-tables.ts'
import { checkDeclaration, type Declaration, describeProblems, readDeclaration } from './declaration.ts'
import { examineSubscribers } from './examine-subscribers.ts'
import type { Problem } from './problem.ts'
import { formatFindings } from './report/findings.ts'
import { formatExaminations } from './report/sources.ts'
import { formatSubscribers, type SubscriberExamination } from './report/subscribers.ts'
import { formatNext, formatSummary, summarise } from './report/summary.ts'
import { transformProblems } from './subscribers/custom-transforms.ts'
import type { Environment } from './yaml/environment.ts'

/** What the command touches of its process. */
export interface Surroundings {
  readonly env: Environment
  readonly isTerminal: boolean
  /** Asks the sources' databases. */
  examine(declaration: Declaration): Promise<readonly SourceExamination[]>
  /** Asks the subscribers' systems. */
  examineSubscribers(declaration: Declaration): Promise<readonly SubscriberExamination[]>
  write(text: string): void
  exit(code: number): void
}

const PROCESS: Surroundings = {
  env: process.env,
  isTerminal: process.stdout.isTTY === true,
  examine: (declaration) =>
    Promise.all(
      [...declaration.sources.values()].map(({ name, url, publication }) =>
        examineSource({ name, url, publication, entities: capturedTables(declaration, name) }),
      ),
    ),
  examineSubscribers: (declaration) => examineSubscribers(declaration, openDestination),
  write: (text) => process.stdout.write(text),
  exit: (code) => {
    process.exitCode = code
  },
}

/**
 * `tributary validate`: checks a declaration without starting anything, and that each source's database and each subscriber's system fit it.
 * One that cannot be reached is a warning: whoever writes a declaration, or a build server, often may not reach it.
 * Exit codes: 0 valid, 2 not, 1 when a source or a subscriber does not fit.
 */
export function validateCommand(surroundings: Surroundings = PROCESS): Command {
  return new Command('validate')
    .description(
      'check tributary.yaml as a whole, and that its sources and subscribers fit it; starts and changes nothing',
    )
    .option('-f, --file <path>', 'the declaration', 'tributary.yaml')
    .option('--offline', 'ask no source and no subscriber')
    .option('--json', 'one JSON object instead of text')
    .action(async (options: Options) => {
      const { output, exitCode } = await validate(options, surroundings)
      surroundings.write(output)
      surroundings.exit(exitCode)
    })
}

interface Options {
  readonly file: string
  readonly offline?: true
  readonly json?: boolean
}

async function validate(
  { file, offline, json = false }: Options,
  { env, isTerminal, examine, examineSubscribers }: Surroundings,
): Promise<{ output: string; exitCode: number }> {
  // Any value but the empty one turns colour off: no-color.org.
  const look = { colour: isTerminal && !env.NO_COLOR && !json }
  let text: string
  try {
    text = readDeclaration(file)
  } catch (error) {
    if (!(error instanceof TributaryError)) throw error
    const problem = { file, line: 1, column: 1, path: '', message: error.message }
    return {
      output: json ? envelope(failed(file, [problem], error.message)) : `${error.message}\n`,
      exitCode: error.exitCode,
    }
  }
  const checked = checkDeclaration(text, file, env)
  const { declaration } = checked
  const problems = declaration ? await transformProblems(declaration) : checked.problems
  if (!declaration || problems.length > 0) {
    const output = json
      ? envelope(failed(file, problems, describeProblems(file, problems)))
      : formatFindings(problems, text, look)
    return { output, exitCode: 2 }
  }
  const summary = summarise(declaration)
  const [sources, subscribers] = offline
    ? [[], []]
    : await Promise.all([examine(declaration), examineSubscribers(declaration)])
  const atSources = sources.flatMap((source) => findingsOf(source).map((finding) => `${source.name}: ${finding}`))
  const atSubscribers = subscribers.flatMap(({ name, findings }) => findings.map((finding) => `${name}: ${finding}`))
  const findings = [...atSources, ...atSubscribers]
  const code = atSources.length > 0 ? 'source-unsuitable' : 'destination-unsuitable'
  const result = { file, problems, summary, ...(offline ? {} : { sources, subscribers }) }
  const unsuitable = { ok: false, error: { code, message: findings.join('\n') }, ...result }
  const examined = formatExaminations(sources, look) + formatSubscribers(subscribers, look)
  return {
    output: json
      ? envelope(findings.length > 0 ? unsuitable : { ok: true, ...result })
      : `${formatSummary(summary, file, look)}${examined}\n${formatNext(atSources.length, atSubscribers.length, look)}`,
    exitCode: findings.length > 0 ? CATALOGUE[code].exitCode : 0,
  }
}

/** As every command's failure is told, and each problem with its place. */
function failed(file: string, problems: readonly Problem[], message: string): object {
  return { ok: false, error: { code: 'declaration-invalid', message }, file, problems }
}

function envelope(result: object): string {
  return `${JSON.stringify(result, null, 2)}\n`
}
