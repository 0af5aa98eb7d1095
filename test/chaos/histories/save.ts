import { createReadStream } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { About, RunHistory } from './history.ts'

const HISTORIES = [
  'source',
  'topic',
  'effects',
  'letters',
  'progress',
  'processes',
  'output',
  'faults',
  'states',
] as const

/** Writes a run's histories into a folder: `about.json`, and a file of JSON lines for each history. */
export async function saveHistory(folder: string, run: RunHistory): Promise<void> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'about.json'), `${JSON.stringify(run.about, null, 2)}\n`)
  for (const name of HISTORIES)
    await writeFile(join(folder, `${name}.jsonl`), run[name].map((entry) => `${JSON.stringify(entry)}\n`).join(''))
}

/** The inverse of {@link saveHistory}. @throws Error when a file is missing or ends in the middle of a line */
export async function loadHistory(folder: string): Promise<RunHistory> {
  const about = JSON.parse(await readFile(join(folder, 'about.json'), 'utf8')) as About
  const histories = await Promise.all(
    HISTORIES.map(async (name) => [name, await readLines(join(folder, `${name}.jsonl`))]),
  )
  return { about, ...(Object.fromEntries(histories) as Omit<RunHistory, 'about'>) }
}

async function readLines(file: string): Promise<unknown[]> {
  const entries: unknown[] = []
  for await (const line of createInterface({ input: createReadStream(file) })) entries.push(JSON.parse(line))
  return entries
}
