import type { Change } from '../../schemas/delta.ts'
import { formatVersion } from '../../schemas/version.ts'
import { type Cell, remark, seconds, table } from '../cli/table.ts'
import { GREEN, type Look, RED, WIDTH_MAX, wrap, YELLOW } from '../declaration/report/terminal-text.ts'
import { clip, safeText } from '../demo/view/width.ts'
import type { Standing } from './standing.ts'
import type { Published, SubscriberTrace, Trace } from './trace.ts'

const STYLES: Readonly<Record<Standing, string>> = {
  applied: GREEN,
  waiting: YELLOW,
  'in flight': YELLOW,
  parked: YELLOW,
  retrying: YELLOW,
  dead: RED,
  uncertain: YELLOW,
  'passed over': RED,
  nothing: '',
}

/** For programs. Holds no value of the object. */
export function traceJson({ entity, key, topic, partition, published, captureLetter, subscribers }: Trace): object {
  return {
    entity: entity.name,
    key,
    owner: entity.owner,
    topic,
    partition,
    published: published && publishedJson(published),
    captureDeadLetter: captureLetter && {
      version: formatVersion(captureLetter.version),
      field: captureLetter.field,
      reason: captureLetter.reason,
    },
    subscribers: subscribers.map(({ version, lastPatch, letter, ...rest }) => ({
      ...rest,
      version: version && formatVersion(version),
      appliedAt: lastPatch && new Date(lastPatch.atMs).toISOString(),
      fields: lastPatch?.fields ?? null,
      deadLetter: letter && {
        code: letter.code,
        reason: letter.reason,
        attempts: letter.attempts,
        firstFailedAt: letter.firstFailedAt,
        nextTryAt: letter.nextTryAt,
      },
    })),
  }
}

function publishedJson({ offset, publishedAtMs, change }: Published): object {
  return {
    offset: String(offset),
    publishedAt: new Date(publishedAtMs).toISOString(),
    ...(change && {
      op: change.op,
      version: formatVersion(change.version),
      changed: changedOf(change),
      committedAt: timeOfMicros(change.source.committedAt),
      source: { system: change.source.system, instance: change.source.instance, position: change.source.position },
    }),
  }
}

/** The trace as a person reads it, in at most 100 columns. */
export function formatTrace(trace: Trace, look: Look, nowMs: number): string[] {
  const { entity, key, topic, partition, published, captureLetter, subscribers, failures } = trace
  const place = `${topic}, partition ${partition}${published ? `, offset ${published.offset}` : ''}`
  const remarks = [
    ...(captureLetter
      ? [
          `The source has a newer row that cannot be encoded: ${captureLetter.reason}${captureLetter.field === null ? '' : ` (${captureLetter.field})`}. ` +
            `tributary dlq show ${entity.source} ${entity.name} ${shellText(key)}`,
        ]
      : []),
    ...subscribers.flatMap((one) => remarkOf(one, entity.name, key)),
  ]
  return [
    clip(`${entity.name} ${safeText(key)}   owner ${entity.owner}`, WIDTH_MAX),
    clip(`  in         ${place}`, WIDTH_MAX),
    ...(published ? publishedLines(published) : ['  published  nothing: the topic has no record of this key']),
    '',
    ...table(
      ['SUBSCRIBER', 'CLASS', 'STATE', 'VERSION THERE', 'APPLIED', 'AFTER COMMIT', 'FIELDS'],
      subscribers.map((one) => cells(one, published, nowMs)),
      look,
    ),
    ...(remarks.length === 0 ? [] : ['', ...remarks.flatMap((text) => remark('·', text))]),
    ...failures.flatMap(({ message }) => ['', ...remark('!', message)]),
  ]
}

function publishedLines({ change, publishedAtMs }: Published): string[] {
  if (change === null) return [`  published  ${shortTime(publishedAtMs)}; its content cannot be read`]
  const { op, version, source } = change
  const committedAtMs = Number(source.committedAt / 1000n)
  const changed = changedOf(change)
  const what = changed === null ? op : `${op} of ${changed.join(', ')}`
  return [
    `  committed  ${shortTime(committedAtMs)} at ${source.instance}, position ${source.position}`,
    `  published  ${shortTime(publishedAtMs)}, ${later(publishedAtMs - committedAtMs)} later, as version ${formatVersion(version)}`,
    ...wrap(what, WIDTH_MAX - 13).map((line, index) => `  ${index === 0 ? 'change   ' : '         '}  ${line}`),
  ]
}

function cells(one: SubscriberTrace, published: Published | null, nowMs: number): Cell[] {
  const { subscriber, class: entityClass, standing, version, lastPatch } = one
  const state: Cell = standing === null ? '?' : { text: standing, style: STYLES[standing] }
  const committedAt = standing === 'applied' ? published?.change?.source.committedAt : undefined
  const after =
    lastPatch === null || committedAt === undefined ? '-' : seconds(lastPatch.atMs / 1000 - Number(committedAt) / 1e6)
  return [
    subscriber,
    entityClass,
    state,
    version === null ? '-' : formatVersion(version),
    lastPatch === null ? '-' : `${seconds((nowMs - lastPatch.atMs) / 1000)} ago`,
    after,
    lastPatch === null ? '-' : String(lastPatch.fields),
  ]
}

function remarkOf(
  { subscriber, standing, letter, recordsBefore, attempts }: SubscriberTrace,
  entity: string,
  key: string,
) {
  const name = `${subscriber} ${entity} ${shellText(key)}`
  switch (standing) {
    case 'dead':
      return [`${subscriber} refused it (${letter!.code}): ${letter!.reason}. tributary dlq show ${name}`]
    case 'retrying':
      return [
        `${subscriber} failed ${letter!.attempts} times (${letter!.code}); tried again at ${letter!.nextTryAt ?? 'once'}. tributary dlq show ${name}`,
      ]
    case 'parked':
      return [`${subscriber} failed ${attempts} times; it is tried again by itself.`]
    case 'waiting':
      return [`${subscriber} has ${recordsBefore} records of this partition before it. tributary lag ${subscriber}`]
    case 'passed over':
      return [
        `${subscriber} finished this record without applying it: it has a newer object by itself, its letter was discarded, or the ledger lost its entry. tributary preview ${name}; to send it in full: tributary resync ${name}`,
      ]
    default:
      return []
  }
}

function changedOf(change: Change): readonly string[] | null {
  return change.op === 'delete' ? null : change.changed
}

function later(ms: number): string {
  return ms < 1_000 ? `${Math.max(0, ms)} ms` : seconds(ms / 1000)
}

function shortTime(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ')
}

function timeOfMicros(micros: bigint): string {
  return new Date(Number(micros / 1000n)).toISOString()
}

/** As a shell takes it for one word. */
function shellText(key: string): string {
  const text = safeText(key)
  return /^[\w.:-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
