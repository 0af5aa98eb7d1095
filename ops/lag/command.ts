import { Command } from 'commander'
import { lookOf } from '../cli/table.ts'
import { Lookout } from '../exporter/lookout.ts'
import { findSubscriber } from '../process/delivery.ts'
import { openEnvironment } from '../process/environment.ts'
import { formatLag } from './format.ts'
import { lagRows } from './lag.ts'

/** `tributary lag`: how late each subscriber is with each entity, beside what was declared. Exit code 1 when something could not be asked. */
export function lagCommand(): Command {
  return new Command('lag')
    .description('show how late each subscriber is with each entity, beside its target; the latest first')
    .argument('[subscriber]', 'only this one')
    .option('-f, --file <path>', 'the declaration', 'tributary.yaml')
    .option('--json', 'one JSON object instead of text')
    .action(async (subscriber: string | undefined, flags: { file: string; json?: boolean }) => {
      const environment = openEnvironment(flags.file)
      const { declaration } = environment
      if (subscriber !== undefined) findSubscriber(declaration, subscriber)
      const lookout = new Lookout(environment)
      const look = await lookout.look(new AbortController().signal).finally(() => lookout.close())
      const rows = lagRows(declaration, look, Date.now()).filter(
        (row) => subscriber === undefined || row.subscriber === subscriber,
      )
      const [error] = look.failures.map(({ code, message }) => ({ code, message }))
      if (flags.json)
        console.log(JSON.stringify({ ok: error === undefined, ...(error && { error }), servers: look.up, lag: rows }))
      else {
        const messages = look.failures.map(({ message }) => message)
        for (const line of formatLag(rows, messages, lookOf(process.stdout, process.env))) console.log(line)
      }
      if (error !== undefined) process.exitCode = 1
    })
}
