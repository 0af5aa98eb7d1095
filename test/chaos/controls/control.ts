import { join } from 'node:path'
import { expect } from 'vitest'
import { defaultDataDir } from '../../../ops/stack/data-folder.ts'
import { check } from '../checker/check.ts'
import { failures, type Guarantee } from '../checker/verdict.ts'
import type { RunHistory } from '../histories/history.ts'
import { saveHistory } from '../histories/save.ts'
import { play } from './play.ts'
import type { Scenario } from './scenario.ts'

/** What every run is looked at for: a checker that has compared nothing accuses nobody. */
const TRIED: readonly Guarantee[] = ['G1', 'G2', 'G4', 'G6', 'G7', 'G10']
/** `CONTROL_RUNS` in the environment: how often each scenario is played. */
const RUNS = Number(process.env.CONTROL_RUNS ?? 1)
/** `CONTROL_KEEP` in the environment: the broken runs are kept as histories as well. */
const KEEPS = process.env.CONTROL_KEEP !== undefined
const RUN_MS_MAX = 400_000

/** The longest that a control may take, in ms. */
export const CONTROL_MS_MAX = RUNS * RUN_MS_MAX

/** Plays a scenario with its flaw and without: the checker has to notice the one, and to accuse nobody in the other. */
export async function tryControl(scenario: Scenario): Promise<void> {
  const { name } = scenario.flaw
  for (let run = 0; run < RUNS; run++) {
    const startedMs = performance.now()
    const [broken, whole] = await Promise.all([play(scenario, scenario.flaw), play(scenario, null)])
    const found = violated(broken)
    console.log(`${name}: ${found.join(', ')}, in ${Math.round((performance.now() - startedMs) / 1000)} s`)
    const wrong = [...accusations(whole), ...notCaught(scenario, found)]
    if (KEEPS) console.log(await keep(name, { broken }))
    expect(wrong, wrong.length > 0 ? await keep(name, { broken, whole }) : '').toEqual([])
  }
}

function violated(run: RunHistory): string[] {
  return check(run).flatMap(({ guarantee, violations }) => (violations.length > 0 ? [guarantee] : []))
}

function accusations(whole: RunHistory): string[] {
  return failures(check(whole), TRIED).map(
    ({ guarantee, key, what }) => `the whole build, ${guarantee} ${key}: ${what}`,
  )
}

function notCaught({ breaks }: Scenario, found: readonly string[]): string[] {
  const missed = breaks.filter((guarantee) => !found.includes(guarantee))
  // A recording with a hole in it may accuse anybody.
  const extra = found.filter((one) => one === 'recording')
  return [...missed.map((one) => `the broken build was not caught by ${one}`), ...extra]
}

/** Keeps histories for whoever looks into them. @returns where */
async function keep(name: string, runs: Readonly<Record<string, RunHistory>>): Promise<string> {
  const folder = join(defaultDataDir(process.env), 'chaos', name.replaceAll(' ', '-'))
  for (const [build, run] of Object.entries(runs)) await saveHistory(join(folder, build), run)
  return `the histories are in ${folder}`
}
