import { Command, InvalidArgumentError } from 'commander'
import { lookOf } from '../cli/table.ts'
import { loadTransforms } from '../declaration/subscribers/custom-transforms.ts'
import { openEnvironment } from '../process/environment.ts'
import { CHECK_NAMES, type CheckName, checksNamed } from './checks.ts'
import { examinePipeline, isWell } from './doctor.ts'
import { formatFindings } from './format.ts'

interface DoctorFlags {
  readonly file: string
  readonly only?: readonly CheckName[]
  readonly json?: true
}

/**
 * `tributary doctor`: everything that a pipeline needs, looked at by name. Exit code 0 when nothing fails, 1 when something fails or could not be
 * asked.
 */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('check everything that the pipeline needs, and say what to do about what is wrong; changes nothing')
    .option('--only <name>', 'one check, such as source-slot, or all of an area, such as source', checks)
    .option('-f, --file <path>', 'the declaration', 'tributary.yaml')
    .option('--json', 'one JSON object instead of text')
    .action(async ({ file, only, json }: DoctorFlags) => {
      const environment = openEnvironment(file)
      await loadTransforms(environment.declaration)
      const findings = await examinePipeline(environment, only)
      const ok = isWell(findings)
      if (json) console.log(JSON.stringify({ ok, checks: findings }))
      else for (const line of formatFindings(findings, lookOf(process.stdout, process.env))) console.log(line)
      if (!ok) process.exitCode = 1
    })
}

function checks(name: string): readonly CheckName[] {
  const named = checksNamed(name)
  if (named.length > 0) return named
  throw new InvalidArgumentError(`The checks are ${CHECK_NAMES.join(', ')}.`)
}
