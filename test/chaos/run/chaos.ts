import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { addressEnvironment } from '../../../ops/stack/addresses.ts'
import { defaultDataDir } from '../../../ops/stack/data-folder.ts'
import { startStack } from '../../../ops/stack/stack.ts'
import { check } from '../checker/check.ts'
import { failures, GUARANTEES, type Verdict } from '../checker/verdict.ts'
import { keepFixture } from '../histories/fixture.ts'
import type { RunHistory } from '../histories/history.ts'
import { loadHistory, saveHistory } from '../histories/save.ts'
import { planRun } from './faults.ts'
import { ALWAYS, countInto, type TriedFile, tellFailures, tellVerdicts, triedTable, triedUnder } from './report.ts'
import { runChaos } from './run.ts'
import { startScene, startServers } from './scene.ts'

interface Flags {
  readonly minutes: number
  readonly seed: number
  readonly runs: number
  readonly json?: boolean
  readonly keep?: boolean
  readonly count?: string
}

function amount(text: string): number {
  const number = Number(text)
  if (number > 0 && Number.isFinite(number)) return number
  throw new InvalidArgumentError('It is a number above 0.')
}

const INTERRUPTED = 130

const whole = (text: string) => Math.floor(amount(text))

function judge(run: RunHistory): {
  readonly verdicts: readonly Verdict[]
  readonly failed: ReturnType<typeof failures>
} {
  const verdicts = check(run)
  return { verdicts, failed: failures(verdicts, ALWAYS) }
}

async function runAll({ minutes, seed: first, runs, json, keep, count }: Flags): Promise<void> {
  const log = (text: string) => console.error(text)
  const endings: (() => Promise<void>)[] = []
  const cleanUp = async () => {
    for (let end = endings.pop(); end !== undefined; end = endings.pop()) await end()
  }
  let isInterrupted = false
  const interrupt = () => {
    isInterrupted = true
    log('\nInterrupted; cleaning up.')
    // What goes on is in the middle of something that is taken away from it.
    process.on('unhandledRejection', () => {})
    void cleanUp().finally(() => process.exit(INTERRUPTED))
  }
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  let failedRuns = 0
  try {
    const dataDir = await mkdtemp(join(tmpdir(), 'tributary-chaos-'))
    endings.push(() => rm(dataDir, { recursive: true, force: true }))
    const shared = await startStack({ dataDir, durable: false, services: ['registry', 'postgres'] })
    endings.push(() => shared.stop())
    Object.assign(process.env, addressEnvironment(shared.addresses))
    for (let at = 0; at < runs; at++) {
      const seed = first + at
      log(`\nSEED=${seed}, ${minutes} minutes (run ${at + 1} of ${runs})`)
      const servers = await startServers()
      endings.push(() => servers.close())
      const scene = await startScene(servers, planRun(seed))
      endings.push(() => scene.close())
      const began = performance.now()
      const onEvent = (text: string) =>
        log(`${String(Math.round((performance.now() - began) / 1000)).padStart(5)} s  ${text}`)
      const run = await runChaos(scene, { seed, forMs: minutes * 60_000, onEvent })
      for (const end of endings.splice(-2).reverse()) await end()
      const { verdicts, failed } = judge(run)
      log(tellVerdicts(verdicts))
      const folder = resolve(join(defaultDataDir(process.env), 'chaos', `seed-${seed}`))
      if (failed.length > 0 || keep) await saveHistory(folder, run)
      if (failed.length > 0) {
        failedRuns++
        log(tellFailures(failed))
        log(`SEED=${seed} failed. Its histories: ${folder}; to check them again: npm run chaos -- check ${folder}`)
        log(
          `To keep them as a fixture of the checker: npm run chaos -- keep ${folder} <name> --about '<what went wrong>'`,
        )
      } else {
        log(`SEED=${seed} is clean${keep ? `; its histories: ${folder}` : ''}`)
        if (count) await countInto(count, triedUnder(verdicts, run.faults))
      }
      if (json) console.log(JSON.stringify(summary(run, verdicts, failed.length, folder)))
    }
  } catch (error) {
    if (!isInterrupted) throw error
  } finally {
    // Whoever interrupted it cleans up, and exits.
    if (isInterrupted) await new Promise(() => {})
    await cleanUp()
  }
  if (failedRuns > 0) process.exitCode = 1
}

function summary(run: RunHistory, verdicts: readonly Verdict[], failed: number, folder: string) {
  return {
    seed: run.about.seed,
    failed,
    ...(failed > 0 ? { folder } : {}),
    changes: run.source.length,
    records: run.topic.length,
    effects: run.effects.length,
    faults: run.faults.map(({ kind, target }) => `${kind} ${target}`),
    compared: Object.fromEntries(verdicts.map(({ guarantee, compared }) => [guarantee, compared])),
  }
}

const program = new Command('chaos')
  .description('random faults under a random workload, then healed, quiet and checked from what was recorded')
  .option('--minutes <number>', 'how long faults go on in a run', amount, 3)
  .option(
    '--seed <number>',
    'the first run repeats the choices of this seed',
    whole,
    Math.floor(Math.random() * 2 ** 31),
  )
  .option('--runs <number>', 'so many runs, each with the next seed', whole, 1)
  .option('--keep', 'save the histories of clean runs as well')
  .option('--count <file>', 'add the faults of clean runs to this JSON file, by guarantee')
  .option('--json', 'print one JSON object a run')
  .action((flags: Flags) => runAll(flags))
program
  .command('check <folder>')
  .description('check the histories of an earlier run again')
  .option('--all', `fail unless each of ${GUARANTEES.join(', ')} was tried`)
  .action(async (folder: string, { all }: { all?: boolean }) => {
    const run = await loadHistory(folder)
    const verdicts = check(run)
    const failed = failures(verdicts, all ? GUARANTEES : ALWAYS)
    console.log(tellVerdicts(verdicts))
    if (failed.length === 0) return
    console.log(tellFailures(failed))
    process.exitCode = 1
  })
program
  .command('keep <folder> <name>')
  .description('keep what its verdict needs of the histories of a failed run, for the tests of the checker')
  .requiredOption('--about <text>', 'what went wrong in it, in a sentence')
  .action(async (folder: string, name: string, { about }: { about: string }) => {
    console.log(await keepFixture(await loadHistory(folder), name, about))
  })
program
  .command('table <file>')
  .description('print what --count has written as the table of docs/guarantees.md')
  .action(async (file: string) => console.log(triedTable(JSON.parse(await readFile(file, 'utf8')) as TriedFile)))
await program.parseAsync()
