import { Command } from 'commander'
import { loadDeclaration } from '../declaration/declaration.ts'
import { createEnvironment } from '../process/environment.ts'
import { createLog } from '../process/log.ts'
import { type PlanStep, planProvision } from './provision.ts'

interface ProvisionFlags {
  readonly file: string
  readonly dryRun?: boolean
  readonly json?: boolean
}

/** `tributary provision`: prints what is to be done, then does it. */
export function provisionCommand(): Command {
  return new Command('provision')
    .description('make or adjust schemas, topics, publications and tables; run it again at will')
    .option('-f, --file <path>', 'the declaration', 'tributary.yaml')
    .option('--dry-run', 'print the plan and change nothing')
    .option('--json', 'one JSON object instead of text')
    .action(async (flags: ProvisionFlags) => {
      const environment = createEnvironment(loadDeclaration(flags.file, process.env), createLog('error'))
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

const AREA_WIDTH = 11
const NAME_WIDTH = 40
const LINE_WIDTH = 100

/** A line a step, cut to the width of a terminal; `--json` has all of it. */
function formatStep({ area, name, action }: PlanStep): string {
  const line = `  ${action === null ? '=' : '+'} ${area.padEnd(AREA_WIDTH)} ${name.padEnd(NAME_WIDTH)} ${action ?? 'ok'}`
  return line.length > LINE_WIDTH ? `${line.slice(0, LINE_WIDTH - 1)}…` : line
}
