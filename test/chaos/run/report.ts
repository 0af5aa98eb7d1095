import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { LEDGER_FAULTS } from '../checker/g11-ledger.ts'
import { GUARANTEES, type Guarantee, type Verdict, type Violation } from '../checker/verdict.ts'
import type { FaultEntry } from '../histories/history.ts'

/** What no run can go without; the rest depends on which faults the seed chooses. */
export const ALWAYS: readonly Guarantee[] = ['G1', 'G2', 'G3', 'G4', 'G6', 'G7', 'G8', 'G10', 'G12']

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

/** The faults under which a guarantee is tried, where it is not all of a run's. */
const UNDER: Partial<Record<Guarantee, (fault: FaultEntry) => boolean>> = {
  G9: ({ alone }) => alone !== undefined,
  G11: ({ kind }) => LEDGER_FAULTS.has(kind),
}

/** Under which faults each guarantee was tried in one run: of what something was compared. */
export function triedUnder(verdicts: readonly Verdict[], faults: readonly FaultEntry[]): TriedUnder {
  const tried = GUARANTEES.filter((guarantee) =>
    verdicts.some((one) => one.guarantee === guarantee && one.compared > 0),
  )
  return Object.fromEntries(
    tried.map((guarantee) => {
      const counts: Record<string, number> = {}
      for (const fault of faults.filter(UNDER[guarantee] ?? (() => true)))
        counts[fault.kind] = (counts[fault.kind] ?? 0) + 1
      return [guarantee, counts]
    }),
  )
}

export interface TriedFile {
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

/** The counts as a table for docs/guarantees.md: guarantees that were tried under the same faults share a row. */
export function triedTable({ runs, faults }: TriedFile): string {
  const rows = new Map<string, string[]>()
  for (const guarantee of GUARANTEES) {
    const counts = Object.entries(faults[guarantee] ?? {}).sort(([a], [b]) => a.localeCompare(b))
    const text = counts.length === 0 ? '**not yet**' : counts.map(([kind, count]) => `${kind} ${count}`).join(' · ')
    rows.set(text, [...(rows.get(text) ?? []), guarantee])
  }
  const lines = [...rows].map(([text, guarantees]) => `| ${guarantees.join(' ')} | ${text} |`)
  return [`| ${runs} runs | Tried under, and how often |`, '| --- | --- |', ...lines].join('\n')
}
