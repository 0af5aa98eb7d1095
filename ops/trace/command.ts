import { Command } from 'commander'
import { TributaryError } from '../../schemas/errors.ts'
import { redrawnLine } from '../cli/redrawn-line.ts'
import { lookOf } from '../cli/table.ts'
import { openEnvironment } from '../process/environment.ts'
import { formatTrace, traceJson } from './format.ts'
import { traceKey } from './trace.ts'

const REDRAW_INTERVAL_MS = 250

/** `tributary trace <entity> <key>`: one key's way from the source to every subscriber. Exit code 1 when something could not be asked. */
export function traceCommand(): Command {
  return new Command('trace')
    .description('show one key’s way from the source to every subscriber: published, applied, waiting, dead')
    .argument('<entity>', 'an entity of the declaration')
    .argument('<key>', 'the key of an object: its text, or a JSON array of texts when it has several parts')
    .option('-f, --file <path>', 'the declaration', 'tributary.yaml')
    .option('--json', 'one JSON object instead of text')
    .action(async (name: string, key: string, flags: { file: string; json?: boolean }) => {
      const environment = openEnvironment(flags.file)
      const { entities, file } = environment.declaration
      const entity = entities.get(name)
      if (entity === undefined)
        throw new TributaryError(
          'declaration-invalid',
          `There is no entity ${name} in ${file}; declared: ${[...entities.keys()].join(', ')}.`,
        )
      // A large partition takes a while.
      const line = redrawnLine({ quietMs: REDRAW_INTERVAL_MS, everyMs: REDRAW_INTERVAL_MS })
      const tell = (records: number) => line.draw(() => `${name}: ${records} records read`)
      const trace = await traceKey(environment, entity, key, tell).finally(line.end)
      const [error] = trace.failures.map(({ code, message }) => ({ code, message }))
      if (flags.json)
        console.log(JSON.stringify({ ok: error === undefined, ...(error && { error }), ...traceJson(trace) }))
      else for (const text of formatTrace(trace, lookOf(process.stdout, process.env), Date.now())) console.log(text)
      if (error !== undefined) process.exitCode = 1
    })
}
