import { createReadStream, existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { gunzipSync, gzipSync } from 'node:zlib'
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
const COMPRESSED = '.gz'

/**
 * Writes a run's histories into a folder: `about.json`, and a file of JSON lines for each history.
 * @param options `isCompressed`: each by gzip, for one that is kept for good
 */
export async function saveHistory(folder: string, run: RunHistory, { isCompressed = false } = {}): Promise<void> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'about.json'), `${JSON.stringify(run.about, null, 2)}\n`)
  for (const name of HISTORIES) await saveLines(join(folder, `${name}.jsonl`), run[name], isCompressed)
}

async function saveLines(file: string, entries: readonly object[], isCompressed: boolean): Promise<void> {
  const text = entries.map((entry) => `${JSON.stringify(entry)}\n`).join('')
  if (isCompressed) await writeFile(file + COMPRESSED, gzipSync(text))
  else await writeFile(file, text)
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
  const input = existsSync(file + COMPRESSED)
    ? Readable.from(gunzipSync(await readFile(file + COMPRESSED)).toString())
    : createReadStream(file)
  for await (const line of createInterface({ input })) entries.push(JSON.parse(line))
  return entries
}
