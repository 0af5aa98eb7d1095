import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { GUARANTEES, type Verdict, type Violation } from '../checker/verdict.ts'
import type { FaultEntry } from '../histories/history.ts'

const STORIES_SHOWN_MAX = 3
const STORY_LINES_MAX = 80
const SHOWN_MAX = 20

/** What is wrong, the stories of the first keys with it. */
export function tellFailures(failures: readonly Violation[]): string {
  const lines: string[] = []
  for (const [at, { guarantee, entity, key, what, story }] of failures.slice(0, SHOWN_MAX).entries()) {
    lines.push(`${guarantee} ${entity} ${key} ${what}`.replaceAll(/ +/g, ' '))
    if (at >= STORIES_SHOWN_MAX) continue
    if (story.length > STORY_LINES_MAX) lines.push(`    (${story.length - STORY_LINES_MAX} lines before)`)
    lines.push(...story.slice(-STORY_LINES_MAX).map((line) => `    ${line}`))
  }
  if (failures.length > SHOWN_MAX) lines.push(`and ${failures.length - SHOWN_MAX} more`)
  return lines.join('\n')
}

/** A line a guarantee: how many facts were compared, and how many of them were wrong. */
export function tellVerdicts(verdicts: readonly Verdict[]): string {
  return verdicts
    .map(({ guarantee, compared, violations }) => {
      const found =
        compared === 0 ? 'not looked at' : violations.length === 0 ? 'held' : `VIOLATED ${violations.length}×`
      return `${guarantee.padEnd(10)} ${String(compared).padStart(9)} compared  ${found}`
    })
    .join('\n')
}

/** By guarantee and kind of fault, how often. */
export type TriedUnder = Readonly<Record<string, Readonly<Record<string, number>>>>

/** Under which faults each guarantee was tried in one run: those of the run, where something was compared. */
export function triedUnder(verdicts: readonly Verdict[], faults: readonly FaultEntry[]): TriedUnder {
  const counts: Record<string, number> = {}
  for (const { kind } of faults) counts[kind] = (counts[kind] ?? 0) + 1
  const tried = GUARANTEES.filter((guarantee) =>
    verdicts.some((one) => one.guarantee === guarantee && one.compared > 0),
  )
  return Object.fromEntries(tried.map((guarantee) => [guarantee, counts]))
}

interface TriedFile {
  readonly runs: number
  readonly faults: TriedUnder
}

/** Adds a run to the counts that a file holds. */
export async function countInto(file: string, run: TriedUnder): Promise<void> {
  const before = await readTried(file)
  const faults: Record<string, Record<string, number>> = {}
  for (const one of [before.faults, run])
    for (const [guarantee, counts] of Object.entries(one)) {
      faults[guarantee] ??= {}
      for (const [kind, count] of Object.entries(counts))
        faults[guarantee][kind] = (faults[guarantee][kind] ?? 0) + count
    }
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `${JSON.stringify({ runs: before.runs + 1, faults }, null, 2)}\n`)
}

async function readTried(file: string): Promise<TriedFile> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as TriedFile
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOENT') throw error
    return { runs: 0, faults: {} }
  }
}
