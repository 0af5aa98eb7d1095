import type { EffectEntry, LetterEntry, RunHistory, TopicEntry } from '../histories/history.ts'
import { compare, newest, type ObjectHistory, project, same, violation } from './objects.ts'
import type { Verdict, Violation } from './verdict.ts'

/** The kind of the entry among the faults that tells when all dead letters were replayed. */
export const REPLAY = 'replay'

/**
 * G5: what a destination refused for what it says, and what nothing followed, is in the dead-letter topic with its bytes, reason and attempts;
 * what succeeded afterwards cleared it, so after a replay nothing is left.
 */
export function checkG5(run: RunHistory, objects: readonly ObjectHistory[]): Verdict {
  const violations: Violation[] = []
  let compared = 0
  // A letter is looked for when everything was quiet, which is before the replay.
  const replayMs = run.faults.find(({ kind }) => kind === REPLAY)?.fromMs ?? Number.POSITIVE_INFINITY
  for (const object of objects)
    for (const { name, fields } of run.about.destinations) {
      const effects = object.effects.get(name) ?? []
      const letters = object.letters.get(name) ?? []
      const wrong = (what: string) => violations.push(violation('G5', object, `${name}: ${what}`))
      const refused = lastOf(effects.filter(({ atMs }) => atMs < replayMs))
      if (refused?.result === 'rejected') {
        compared++
        const entry = letters.filter(({ atMs }) => atMs < replayMs).at(-1)
        const what = isMoot(refused, entry, object, fields[object.entity]) ? undefined : notKept(refused, entry, object)
        if (what !== undefined) wrong(what)
      }
      const final = lastOf(effects)
      const left = letters.at(-1)?.letter
      if (letters.length > 0 && final?.result === 'applied') {
        compared++
        if (left && endsLetter(final, letters.at(-1)!))
          wrong(`version ${left.version} is among its dead letters, although ${final.version} took effect since`)
      }
    }
  return { guarantee: 'G5', compared, violations }
}

/** A destination that tells no refusals may have taken nothing since, so that its last effect is of before the letter. */
function endsLetter(final: EffectEntry, { letter, atMs }: LetterEntry): boolean {
  return final.version === null || letter!.version === '' ? final.atMs > atMs : compare(final, letter!) >= 0
}

/** Its letter was cleared because a newer record says what the destination holds anyway, so that nothing was sent for that one. */
function isMoot(
  refused: EffectEntry,
  entry: LetterEntry | undefined,
  { topic }: ObjectHistory,
  names: readonly string[] | undefined,
): boolean {
  const isAsHeld = (one: TopicEntry) => compare(one, refused) > 0 && same(project(one.fields, names), refused.after)
  return entry?.letter === null && topic.some((one) => one.atMs <= entry.atMs && isAsHeld(one))
}

function lastOf(effects: readonly EffectEntry[]): EffectEntry | undefined {
  return effects.findLast(({ result }) => result !== 'failed')
}

function notKept(refused: EffectEntry, entry: LetterEntry | undefined, { topic }: ObjectHistory): string | undefined {
  const letter = entry?.letter
  if (!letter) return `version ${refused.version} was refused, and is not among its dead letters`
  if (compare(letter, refused) < 0)
    return `version ${refused.version} was refused, and its dead letter is of ${letter.version}`
  if (letter.reason === '' || letter.attempts < 1) return `its dead letter says no reason or no attempts`
  const record = newest(topic.filter((one) => one.version === letter.version && one.hash === letter.hash))
  return record === undefined ? `the bytes of its dead letter are not those of ${letter.version}` : undefined
}
