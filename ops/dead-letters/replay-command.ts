import { request } from '../../connectors/postgres/request.ts'
import type { DeclaredSource } from '../declaration/declaration.ts'
import { WIDTH_MAX, wrap } from '../declaration/report/terminal-text.ts'
import { openSource } from '../process/capture.ts'
import type { Environment } from '../process/environment.ts'
import { keyShower } from './capture/key-shown.ts'
import { formatGroups, listLetters } from './capture/list.ts'
import type { LetterFilter } from './capture/open-letters.ts'
import { readLetters } from './capture/read.ts'
import { planReplay, type ReplayPlan, type ReplayResult, replayLetters } from './capture/replay.ts'

export interface ReplayFlags {
  readonly json?: boolean
  readonly dryRun?: boolean
  readonly wait: boolean
  /** Seconds without news after which it gives up. */
  readonly timeout: number
  readonly showKeys?: boolean
}

/** How many of those that remain are named. */
const REMAINING_MAX = 100
const PROGRESS_INTERVAL_MS = 2_000

/** Replays the dead letters of a source that match, and says what became of them. Exit code 1 when some remain. */
export async function replay(
  environment: Environment,
  source: DeclaredSource,
  filter: LetterFilter,
  flags: ReplayFlags,
): Promise<void> {
  const signal = new AbortController().signal
  const say = (text: string) => flags.json || console.log(text)
  const letters = await readLetters(environment, source.name, filter, signal)
  const plan = planReplay(source.slot, letters.list(), filter.key !== undefined)
  const facts = {
    source: source.name,
    rows: plan.letters.length,
    requests: plan.requests.length,
    keyless: plan.keyless,
    incomplete: letters.leftOut > 0,
  }
  for (const line of planLines(plan, facts.incomplete, source.name)) say(line)
  if (flags.dryRun || !flags.wait || plan.letters.length === 0) {
    if (!flags.dryRun && plan.letters.length > 0) {
      await request(source.url, source.name, plan.requests)
      say(`Asked. Look later: \`tributary dlq list ${source.name}\`.`)
    }
    if (flags.json) console.log(JSON.stringify({ ok: true, dryRun: flags.dryRun === true, ...facts }))
    return
  }
  const isRead = await hasReader(environment, source)
  if (!isRead)
    for (const line of wrap(
      `No capture process reads ${source.name} now. The requests are kept in its log until one does: start \`tributary capture ${source.name}\`.`,
      WIDTH_MAX,
    ))
      say(line)
  let toldMs = performance.now()
  const onProgress = (answered: number) => {
    if (performance.now() - toldMs < PROGRESS_INTERVAL_MS) return
    toldMs = performance.now()
    say(`  ${answered}/${plan.letters.length} answered`)
  }
  const result = await replayLetters(environment, source, plan, flags.timeout * 1000, onProgress, signal)
  const now = Date.now()
  const showKey = keyShower(environment.declaration.entities, flags.showKeys === true)
  const { entries } = listLetters(source.name, result.stillBad, false, REMAINING_MAX, showKey, now)
  const error = problemOf(result, source.name)
  for (const line of resultLines(result, now)) say(line)
  if (error !== null) {
    for (const line of wrap(error.message, WIDTH_MAX)) say(line)
    process.exitCode = 1
  }
  if (flags.json) {
    const { cleared, unanswered, groups, stillBad } = result
    const outcome = { cleared, stillUnencodable: stillBad.length, unanswered, groups, remaining: entries }
    console.log(JSON.stringify({ ok: error === null, ...(error && { error }), ...facts, ...outcome }))
  }
}

async function hasReader(environment: Environment, source: DeclaredSource): Promise<boolean> {
  const opened = openSource(environment, source)
  try {
    return (await opened.status()).active
  } finally {
    await opened.close()
  }
}

function planLines({ letters, requests, keyless }: ReplayPlan, incomplete: boolean, source: string): string[] {
  const lines: string[] = []
  if (letters.length === 0) lines.push(`No open dead letter of source ${source} is to be replayed.`)
  else lines.push(`${count(letters.length, 'row')} to read again, in ${count(requests.length, 'request')}:`)
  for (const [entity, some] of Map.groupBy(letters, (letter) => letter.entity))
    lines.push(`  ${entity}: ${some.length}`)
  if (keyless > 0)
    lines.push(
      ...wrap(
        `${count(keyless, 'row')} with a key that is too long cannot be found again. Shorten the key at the source; ` +
          `then \`tributary dlq replay ${source} <entity> <key>\`, with the key as it is listed, ends the dead letter.`,
        WIDTH_MAX,
      ),
    )
  if (incomplete) lines.push('More are open than are replayed at a time: run it again afterwards.')
  return lines
}

function resultLines(result: ReplayResult, nowMs: number): string[] {
  const { cleared, stillBad, unanswered, groups } = result
  const lines = [
    `${cleared} published or gone, ${stillBad.length} still cannot be encoded, ${unanswered} not answered.`,
  ]
  return stillBad.length > 0 ? [...lines, '', ...formatGroups(groups, nowMs), ''] : lines
}

function problemOf({ stillBad, unanswered }: ReplayResult, source: string) {
  if (unanswered > 0)
    return {
      code: 'request-unanswered',
      message:
        `${count(unanswered, 'row')} of source ${source} ${unanswered === 1 ? 'was' : 'were'} not read again in time. The requests are kept ` +
        'in its log and are carried out when capture comes to them: look at `tributary status`, and do not send them again.',
    } as const
  if (stillBad.length > 0)
    return {
      code: 'value-unencodable',
      message:
        `${count(stillBad.length, 'row')} of source ${source} still cannot be encoded. Correct them at the source; that update is captured ` +
        'as usual. Or declare a wider type, provision, start capture again, and replay them.',
    } as const
  return null
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}
