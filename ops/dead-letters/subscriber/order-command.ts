import type { ErrorCode } from '../../../schemas/errors.ts'
import { WIDTH_MAX, wrap } from '../../declaration/report/terminal-text.ts'
import { safeText } from '../../demo/view/width.ts'
import type { Environment } from '../../process/environment.ts'
import { keyShower } from '../capture/key-shown.ts'
import type { Subscriber } from '../holder.ts'
import { carryOut, type Order, type OrderResult } from './carry-out.ts'
import { openScan, readMatching, summarize } from './commands.ts'
import type { LetterFilter } from './letters.ts'
import { formatGroups, letterList } from './list.ts'
import { FAILURES_MAX, type FailedLetter, type Tally } from './outstanding.ts'

export interface OrderFlags {
  readonly json?: boolean
  readonly dryRun?: boolean
  readonly wait: boolean
  /** Seconds without an answer after which it gives up. */
  readonly timeout: number
  /** A second; as fast as the answers come when there is none. */
  readonly rate?: number
  readonly showKeys?: boolean
}

const PROGRESS_INTERVAL_MS = 2_000
const CODES_SHOWN_MAX = 20
const FAILURES_SHOWN_MAX = 20

/**
 * Has the letters that match replayed or discarded, and says what became of them. Exit code 1 when some failed or were not answered.
 * @param isConfirmed when not, it only says how many there are
 */
export async function orderOfSubscriber(
  environment: Environment,
  subscriber: Subscriber,
  order: Order,
  filter: LetterFilter,
  flags: OrderFlags,
  isConfirmed: boolean,
  signal: AbortSignal,
): Promise<void> {
  const { entities } = environment.declaration
  const say = (line: string) => flags.json || console.log(line)
  const tell = (words: string) => wrap(safeText(words), WIDTH_MAX).forEach(say)
  const nowMs = Date.now()
  const scan = await openScan(environment, subscriber, filter)
  const summary = await summarize(scan, filter, 0, signal)
  const plan = letterList(
    subscriber.name,
    summary,
    (name) => entities.get(name)?.owner,
    keyShower(entities, false),
    nowMs,
  )
  const { open, dead, retrying, groups } = plan
  const facts = { subscriber: subscriber.name, kind: order.kind, letters: open, dead, retrying, groups }
  const isDry = flags.dryRun === true || !isConfirmed
  if (open === 0) say(`No open dead letter of subscriber ${subscriber.name} is to be ${DONE[order.kind]}.`)
  else {
    say(`${count(open, 'dead letter')} of subscriber ${subscriber.name} to be ${DONE[order.kind]}:`)
    for (const line of formatGroups(plan, nowMs)) say(line)
    say('')
  }
  if (isDry || open === 0) {
    if (open > 0 && !isConfirmed) tell('Nothing was done. With --yes they are given up for good.')
    if (flags.json) console.log(JSON.stringify({ ok: true, dryRun: isDry, ...facts }))
    return
  }
  let toldMs = performance.now()
  const onProgress = ({ sent, results }: Tally) => {
    if (performance.now() - toldMs < PROGRESS_INTERVAL_MS) return
    toldMs = performance.now()
    const answered = Object.values(results).reduce((sum, one) => sum + one, 0)
    say(flags.wait ? `  ${answered}/${open} answered` : `  ${sent}/${open} sent`)
  }
  const result = await carryOut(
    environment,
    subscriber,
    order,
    readMatching(scan, filter, null, signal),
    {
      perSecond: flags.rate ?? Number.POSITIVE_INFINITY,
      wait: flags.wait,
      quietMsMax: flags.timeout * 1000,
      onProgress,
    },
    signal,
  )
  const error = problemOf(result, order, subscriber.name)
  for (const line of resultLines(result, order, flags)) say(line)
  const showKey = keyShower(entities, flags.showKeys === true)
  const failures = result.failures.map((failed) => shownFailure(failed, showKey))
  for (const line of failureLines(result, failures)) say(line)
  if (!flags.wait) say(`Asked. Look later: \`tributary dlq list ${subscriber.name}\`.`)
  if (error !== null) {
    tell(error.message)
    process.exitCode = 1
  }
  if (flags.json)
    console.log(JSON.stringify({ ok: error === null, ...(error && { error }), ...facts, ...result, failures }))
}

const DONE = { replay: 'replayed', discard: 'discarded' } as const

function shownFailure({ entity, key, hasReadableKey, code }: FailedLetter, showKey: ReturnType<typeof keyShower>) {
  const shown = hasReadableKey ? showKey(entity, key) : { text: key, masked: false }
  return { entity, key: shown.text, keyMasked: shown.masked, code }
}

function resultLines({ results, unanswered, unowned, sent }: OrderResult, order: Order, flags: OrderFlags): string[] {
  const lines: string[] = []
  if (flags.wait) {
    const { applied, discarded, gone, failed } = results
    const done = order.kind === 'replay' ? `${applied} applied` : `${discarded} discarded`
    lines.push(`${done}, ${gone} gone meanwhile, ${failed} failed, ${unanswered} not answered.`)
  } else lines.push(`${count(sent, 'command')} sent.`)
  if (unowned > 0)
    lines.push(
      order.kind === 'discard'
        ? `${unowned} of entities that the subscriber does not take any more: discarded.`
        : `${unowned} of entities that the subscriber does not take any more: they can only be discarded.`,
    )
  return lines
}

function failureLines({ codes, results }: OrderResult, failures: readonly ReturnType<typeof shownFailure>[]): string[] {
  if (results.failed === 0) return []
  const shown = Object.entries(codes).slice(0, CODES_SHOWN_MAX)
  const named = failures.slice(0, FAILURES_SHOWN_MAX)
  const more = results.failed - named.length
  return [
    '',
    ...shown.map(([code, failed]) => `  ${failed} × ${safeText(code)}`),
    '',
    ...named.map(({ entity, key, code }) => `  ${entity} ${safeText(key)}: ${safeText(code)}`),
    ...(more > 0 ? [`  and ${more} more${results.failed > FAILURES_MAX ? '' : ': --json names them'}`] : []),
    ...(named.some(({ keyMasked }) => keyMasked) ? ['Personal keys are masked: --show-keys shows them.'] : []),
    '',
  ]
}

function problemOf(
  { results, unanswered, unowned }: OrderResult,
  { kind }: Order,
  subscriber: string,
): { readonly code: ErrorCode; readonly message: string } | null {
  if (unanswered > 0)
    return {
      code: 'command-unanswered',
      message:
        `${count(unanswered, 'command')} for subscriber ${subscriber} ${unanswered === 1 ? 'was' : 'were'} not carried out in time. ` +
        `Is \`tributary deliver ${subscriber}\` running? The commands are kept on their topic and are carried out when it comes to them: ` +
        'look at `tributary status`, and do not send them again.',
    }
  if (results.failed > 0 || (kind === 'replay' && unowned > 0))
    return {
      code: 'command-failed',
      message:
        `${count(results.failed + (kind === 'replay' ? unowned : 0), 'dead letter')} of subscriber ${subscriber} could not be ${DONE[kind]} ` +
        `and ${results.failed + unowned === 1 ? 'stays' : 'stay'}. Mend what the codes say, and run it again.`,
    }
  return null
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}
