import { Command } from 'commander'
import { createProducer } from '../../connectors/kafka/producer.ts'
import { parseHistory } from '../../connectors/postgres/slot/history.ts'
import { loadStored, storedRecord } from '../../producers/positions.ts'
import { TributaryError } from '../../schemas/errors.ts'
import { WIDTH_MAX, wrap } from '../declaration/report/terminal-text.ts'
import { findSource } from '../process/capture.ts'
import { openEnvironment } from '../process/environment.ts'

/** `tributary recover <source>`: a person's word that a new epoch may begin. */
export function recoverCommand(): Command {
  return new Command('recover')
    .description('let a source begin anew after its history was lost: read every table again, delete what vanished')
    .argument('<source>', 'a source of the declaration')
    .option('-f, --file <path>', 'the declaration', 'tributary.yaml')
    .option('--json', 'one JSON object instead of text')
    .action(async (name: string, flags: { readonly file: string; readonly json?: boolean }) => {
      const environment = openEnvironment(flags.file)
      const { declaration, kafka } = environment
      findSource(declaration, name)
      const history = parseHistory(await loadStored(kafka, declaration.kafka.brokers, declaration.name, name))
      if (history === null)
        throw new TributaryError(
          'declaration-invalid',
          `Source ${name} has not been captured yet, so there is nothing to recover: start \`tributary capture ${name}\`.`,
        )
      // Without a name: to connect with the source's own would end the writer that is at work.
      const producer = createProducer(kafka)
      try {
        await producer.connect()
        await producer.send([storedRecord(declaration.name, name, 'recover', { epoch: history.epoch })])
      } finally {
        await producer.close()
      }
      const text =
        `Source ${name}: the next start of capture begins epoch ${history.epoch + 1}: it reads every table again and deletes what ` +
        'vanished meanwhile. A capture process that is held starts again within half a minute; one that runs goes on until it is restarted.'
      if (flags.json) console.log(JSON.stringify({ ok: true, source: name, epoch: history.epoch + 1 }))
      else for (const line of wrap(text, WIDTH_MAX)) console.log(line)
    })
}
