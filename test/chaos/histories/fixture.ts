import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { check } from '../checker/check.ts'
import type { Violation } from '../checker/verdict.ts'
import type { RunHistory } from './history.ts'
import { loadHistory, saveHistory } from './save.ts'

/** Where histories are kept that a checker has to judge as it did, for good. */
export const FIXTURES = fileURLToPath(new URL('../checker/fixtures', import.meta.url))

/** What is written beside a kept history. */
export interface KeptVerdict {
  /** What went wrong in it, in a sentence. */
  readonly about: string
  /** All that the checker has to find in it, and nothing else. */
  readonly violations: readonly string[]
}

/** Violations without their stories, a line each. */
export function toldViolations(run: RunHistory): readonly string[] {
  return check(run).flatMap(({ violations }) => violations.map(lineOf))
}

function lineOf({ guarantee, entity, key, what }: Violation): string {
  return [guarantee, entity, key, what].filter((part) => part !== '').join(' ')
}

/**
 * What is left of a run when everything is taken away that its verdict does not need: other objects, and what processes wrote. The run as it
 * is where that would change the verdict.
 */
export function trim(run: RunHistory): RunHistory {
  const wrong = new Set(check(run).flatMap(({ violations }) => violations.map(nameOf)))
  const isWrong = (entry: { readonly entity: string; readonly key: string }) => wrong.has(nameOf(entry))
  const topic = run.topic.filter(isWrong)
  const places = new Set(topic.map(({ entity, partition }) => `${entity}/${partition}`))
  const ofPlaces = (offsets: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.entries(offsets).filter(([place]) => places.has(place)))
  const trimmed: RunHistory = {
    ...run,
    about: { ...run.about, secrets: [] },
    source: run.source.filter(isWrong),
    topic,
    effects: run.effects.filter(isWrong),
    letters: run.letters.filter(isWrong),
    progress: run.progress.map((sample) => ({
      ...sample,
      ends: ofPlaces(sample.ends),
      committed: Object.fromEntries(
        Object.entries(sample.committed).map(([name, offsets]) => [name, ofPlaces(offsets)]),
      ),
    })),
    processes: [],
    output: [],
    states: run.states.filter(isWrong),
  }
  return JSON.stringify(toldViolations(trimmed)) === JSON.stringify(toldViolations(run)) ? trimmed : run
}

function nameOf({ entity, key }: { readonly entity: string; readonly key: string }): string {
  return JSON.stringify([entity, key])
}

/**
 * Keeps a run as a fixture: its trimmed histories, compressed, and what the checker says of them.
 * @returns its folder
 */
export async function keepFixture(run: RunHistory, name: string, about: string): Promise<string> {
  const folder = join(FIXTURES, name)
  const kept = trim(run)
  await saveHistory(folder, kept, { isCompressed: true })
  const verdict: KeptVerdict = { about, violations: toldViolations(kept) }
  await writeFile(join(folder, VERDICT), `${JSON.stringify(verdict, null, 2)}\n`)
  return folder
}

const VERDICT = 'verdict.json'

export async function loadFixture(name: string): Promise<{ readonly run: RunHistory; readonly verdict: KeptVerdict }> {
  const folder = join(FIXTURES, name)
  const verdict = JSON.parse(await readFile(join(folder, VERDICT), 'utf8')) as KeptVerdict
  return { run: await loadHistory(folder), verdict }
}

export async function fixtureNames(): Promise<readonly string[]> {
  return (await readdir(FIXTURES)).sort()
}
