import { Command, Option } from 'commander'
import { wholeNumber } from '../cli/options.ts'
import { lookOf } from '../cli/table.ts'
import { loadDeclaration } from '../declaration/declaration.ts'
import { formatReport } from './format.ts'
import { queryPrometheus } from './prometheus.ts'
import { QUERIES } from './queries.ts'
import { type Answers, reportOf } from './report.ts'

interface ReportFlags {
  readonly file: string
  readonly prometheus: string
  readonly week?: true
  readonly hours?: number
  readonly json?: true
}

const HOURS_MAX = 24 * 366
const HOURS_OF_WEEK = 24 * 7

/** `tributary report`: how late each subscriber was, what failed and what was down, from what Prometheus has kept. */
export function reportCommand(): Command {
  return new Command('report')
    .description(
      'latency beside the declared targets, errors, dead letters and downtime of the last days, from Prometheus',
    )
    .option('-f, --file <path>', 'the declaration', 'tributary.yaml')
    .addOption(
      new Option('--prometheus <url>', 'where Prometheus is')
        .env('TRIBUTARY_PROMETHEUS_URL')
        .default('http://127.0.0.1:9090'),
    )
    .option('--week', 'the last seven days; so it is without --hours, too')
    .addOption(
      new Option('--hours <number>', 'the last so many hours').argParser(wholeNumber(1, HOURS_MAX)).conflicts('week'),
    )
    .option('--json', 'one JSON object instead of text')
    .action(async (flags: ReportFlags) => {
      const declaration = loadDeclaration(flags.file, process.env)
      const hours = flags.hours ?? HOURS_OF_WEEK
      const asked = Object.entries(QUERIES).map(async ([name, query]) => [
        name,
        await queryPrometheus(flags.prometheus, query(`${hours}h`)),
      ])
      const answers = Object.fromEntries(await Promise.all(asked)) as Answers
      const report = reportOf(declaration, answers, hours * 3600)
      if (flags.json) console.log(JSON.stringify({ ok: true, ...report }))
      else for (const line of formatReport(report, lookOf(process.stdout, process.env))) console.log(line)
    })
}
