import type { Fields, RunHistory } from '../histories/history.ts'
import { type ObjectHistory, told } from './objects.ts'

interface Line {
  readonly atMs: number
  readonly text: string
}

/** What lies longer before or after an object's own history than this is not told of the faults. */
const AROUND_MS = 2_000

/** An object's whole history over source, topic and destinations in time order, with the faults of that time between. */
export function storyOf(run: RunHistory, object: ObjectHistory): readonly string[] {
  const own: Line[] = []
  let before: Fields | null = null
  for (const { atMs, number, fields, transaction } of object.source) {
    own.push({ atMs, text: `source  ${number} in ${transaction}: ${changes(before, fields)}` })
    before = fields
  }
  for (const { atMs, partition, offset, version, op, fields } of object.topic)
    own.push({ atMs, text: `topic   ${partition}@${offset} ${version} ${op} ${told(fields)}` })
  for (const [destination, entries] of object.effects)
    for (const { atMs, number, version, op, sent, after, result } of entries)
      own.push({
        atMs,
        text: `${destination}  ${number} ${version ?? '-'} ${op} ${result}${sent ? ` sent ${told(sent)}` : ''} → ${told(after)}`,
      })
  for (const [subscriber, entries] of object.letters)
    for (const { atMs, partition, offset, letter } of entries)
      own.push({
        atMs,
        text: `${subscriber}'s dead letters ${partition}@${offset} ${letter ? `${letter.version} ${letter.reason} after ${letter.attempts}` : 'cleared'}`,
      })
  const fromMs = Math.min(...own.map(({ atMs }) => atMs)) - AROUND_MS
  const toMs = Math.max(...own.map(({ atMs }) => atMs)) + AROUND_MS
  const faults = run.faults
    .filter((fault) => fault.toMs >= fromMs && fault.fromMs <= toMs)
    .flatMap(({ kind, target, ...times }): Line[] => [
      { atMs: times.fromMs, text: `fault   ${kind} of ${target} begins` },
      { atMs: times.toMs, text: `fault   ${kind} of ${target} ends` },
    ])
  const states = [...object.states].map(([place, { fields }]) => `in the end ${place} holds ${told(fields)}`)
  const lines = [...own, ...faults].sort((a, b) => a.atMs - b.atMs)
  return [...lines.map(({ atMs, text }) => `${new Date(atMs).toISOString().slice(11, 23)} ${text}`), ...states]
}

/** What a change at the source changed. */
function changes(before: Fields | null, after: Fields | null): string {
  if (after === null) return 'deleted'
  if (before === null) return told(after)
  const changed = Object.entries(after).filter(([name, value]) => before[name] !== value)
  return changed.length === 0 ? 'nothing changed' : `set ${told(Object.fromEntries(changed))}`
}
