import { Command } from 'commander'
import { lookOf } from '../cli/table.ts'
import { openEnvironment } from '../process/environment.ts'
import { formatStatus } from './format.ts'
import { readStatus } from './status.ts'

/** `tributary status`: where each source and each subscriber stands. Exit code 1 when one of them could not be asked. */
export function statusCommand(): Command {
  return new Command('status')
    .description('show position, lag and dead letters of every source and subscriber')
    .option('-f, --file <path>', 'the declaration', 'tributary.yaml')
    .option('--json', 'one JSON object instead of text')
    .action(async (flags: { file: string; json?: boolean }) => {
      const environment = openEnvironment(flags.file)
      const status = await readStatus(environment)
      const [error] = status.failures
      const ok = error === undefined
      if (flags.json) console.log(JSON.stringify({ ok, ...(error && { error }), ...status }))
      else for (const line of formatStatus(status, Date.now(), lookOf(process.stdout, process.env))) console.log(line)
      if (!ok) process.exitCode = 1
    })
}
