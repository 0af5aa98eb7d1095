import { Command } from 'commander'
import { TributaryError } from '../../schemas/errors.ts'
import { checkDeclaration, describeProblems, readDeclaration } from './declaration.ts'
import type { Problem } from './problem.ts'
import { formatFindings } from './report/findings.ts'
import { formatSummary, summarise } from './report/summary.ts'
import type { Environment } from './yaml/environment.ts'

/** What the command touches of its process. */
export interface Surroundings {
  readonly env: Environment
  readonly isTerminal: boolean
  write(text: string): void
  exit(code: number): void
}

const PROCESS: Surroundings = {
  env: process.env,
  isTerminal: process.stdout.isTTY === true,
  write: (text) => process.stdout.write(text),
  exit: (code) => {
    process.exitCode = code
  },
}

/** `tributary validate`: checks a declaration without starting anything. Exit codes: 0 valid, 2 not. */
export function validateCommand(surroundings: Surroundings = PROCESS): Command {
  return new Command('validate')
    .description('check tributary.yaml as a whole, without starting anything')
    .option('-f, --file <path>', 'the declaration', 'tributary.yaml')
    .option('--json', 'one JSON object instead of text')
    .action((options: { file: string; json?: true }) => {
      const { output, exitCode } = validate(options.file, options.json === true, surroundings)
      surroundings.write(output)
      surroundings.exit(exitCode)
    })
}

function validate(
  file: string,
  json: boolean,
  { env, isTerminal }: Surroundings,
): { output: string; exitCode: number } {
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
  const { declaration, problems } = checkDeclaration(text, file, env)
  if (!declaration) {
    const output = json
      ? envelope(failed(file, problems, describeProblems(file, problems)))
      : formatFindings(problems, text, look)
    return { output, exitCode: 2 }
  }
  const summary = summarise(declaration)
  return {
    output: json ? envelope({ ok: true, file, problems, summary }) : formatSummary(summary, file, look),
    exitCode: 0,
  }
}

/** As every command's failure is told, and each problem with its place. */
function failed(file: string, problems: readonly Problem[], message: string): object {
  return { ok: false, error: { code: 'declaration-invalid', message }, file, problems }
}

function envelope(result: object): string {
  return `${JSON.stringify(result, null, 2)}\n`
}
