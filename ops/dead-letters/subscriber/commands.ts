import { TributaryError } from '../../../schemas/errors.ts'
import { deadLetterTopic } from '../../../schemas/topics.ts'
import type { Environment } from '../../process/environment.ts'
import { keyShower } from '../capture/key-shown.ts'
import type { ListFlags, ShowFlags } from '../flags.ts'
import type { Subscriber } from '../holder.ts'
import { examine } from './examine.ts'
import { type LetterFilter, matches, type OpenLetter } from './letters.ts'
import { formatList, letterList } from './list.ts'
import { type ProgressLine, progressLine } from './progress-line.ts'
import { LetterScan } from './scan.ts'
import { formatShown, showJson } from './show.ts'
import { LetterSummary } from './summary.ts'

/** The most letters that are listed: they are kept until the end of the topic. */
export const LISTED_MAX = 10_000

/**
 * @param filter with entity and key, only the partition of this key is read
 * @throws TributaryError `topic-missing`, `kafka-unreachable`
 */
export function openScan(
  { declaration, kafka }: Environment,
  subscriber: Subscriber,
  { entity, key }: LetterFilter,
): Promise<LetterScan> {
  const topic = deadLetterTopic(declaration.name, subscriber.name)
  const name = entity === undefined || key === undefined ? undefined : `${entity}/${key}`
  return LetterScan.open(kafka, declaration.kafka.brokers, topic, name)
}

/**
 * The letters that match.
 * @param line where progress is told; null where something else tells it
 */
export async function* readMatching(
  scan: LetterScan,
  filter: LetterFilter,
  line: ProgressLine | null,
  signal: AbortSignal,
): AsyncGenerator<readonly OpenLetter[], void, undefined> {
  const nowMs = Date.now()
  try {
    yield* scan.read(
      (letter) => matches(letter, filter, nowMs),
      ({ read, all }) => line?.tell(`${read} of ${all} records read`),
      signal,
    )
  } finally {
    line?.end()
  }
}

export async function summarize(
  scan: LetterScan,
  filter: LetterFilter,
  limit: number,
  signal: AbortSignal,
): Promise<LetterSummary> {
  const summary = new LetterSummary(limit)
  for await (const letters of readMatching(scan, filter, progressLine(), signal))
    for (const letter of letters) summary.add(letter)
  return summary
}

export async function listOfSubscriber(
  environment: Environment,
  subscriber: Subscriber,
  filter: LetterFilter,
  flags: ListFlags,
  signal: AbortSignal,
): Promise<void> {
  const { entities } = environment.declaration
  const scan = await openScan(environment, subscriber, filter)
  const summary = await summarize(scan, filter, Math.min(flags.limit, LISTED_MAX), signal)
  const showKey = keyShower(entities, flags.showKeys === true)
  const nowMs = Date.now()
  const list = letterList(subscriber.name, summary, (name) => entities.get(name)?.owner, showKey, nowMs)
  if (flags.json) console.log(JSON.stringify({ ok: true, ...list }))
  else for (const line of formatList(list, nowMs)) console.log(line)
}

/** @throws TributaryError `dead-letter-missing`; what the subscriber or the ledger answers when it cannot be asked */
export async function showOfSubscriber(
  environment: Environment,
  subscriber: Subscriber,
  entity: string,
  key: string,
  flags: ShowFlags,
  signal: AbortSignal,
): Promise<void> {
  const { entities } = environment.declaration
  const letter = await findLetter(environment, subscriber, entity, key, signal)
  const { failure, ...examined } = await examine(environment, subscriber, letter, signal)
  const showPersonal = flags.showPersonal === true
  const shown = {
    subscriber: subscriber.name,
    letter,
    key: letter.head.hasReadableKey ? keyShower(entities, showPersonal)(entity, key) : { text: key, masked: false },
    owner: entities.get(entity)?.owner ?? null,
    fields: entities.get(entity)?.fields,
    showPersonal,
    ...examined,
  }
  if (flags.json) {
    const error = failure && { error: { code: failure.code, message: failure.message } }
    console.log(JSON.stringify({ ok: failure === null, ...error, ...showJson(shown) }))
    if (failure !== null) process.exitCode = failure.exitCode
    return
  }
  for (const line of formatShown(shown, Date.now())) console.log(line)
  if (failure !== null) throw failure
}

async function findLetter(
  environment: Environment,
  subscriber: Subscriber,
  entity: string,
  key: string,
  signal: AbortSignal,
): Promise<OpenLetter> {
  const filter = { entity, key }
  const scan = await openScan(environment, subscriber, filter)
  for await (const [letter] of readMatching(scan, filter, progressLine(), signal))
    if (letter !== undefined) return letter
  throw new TributaryError(
    'dead-letter-missing',
    `Subscriber ${subscriber.name} has no open dead letter of ${entity} with this key. List them: \`tributary dlq list ${subscriber.name}\`.`,
  )
}
