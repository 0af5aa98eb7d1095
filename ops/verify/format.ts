import { createHmac } from 'node:crypto'
import { WIDTH_MAX, wrap } from '../declaration/report/terminal-text.ts'
import type { TopicVerdict, VerifyProgress } from './verify-topic.ts'

/** What is said of one entity: its topic's verdict, with the keys in a form that may be shown. */
export interface EntityVerdict extends TopicVerdict {
  readonly entity: string
  /** Whether `key` holds the keys; otherwise names that stand for them. */
  readonly keysShown: boolean
}

const MASK_CHARACTERS = 16

/**
 * Puts a name in the place of each key, the same for the same key. With the ledger's secret, as a bare hash of an e-mail address or a number
 * can be found by trying.
 */
export function maskKeys(verdict: TopicVerdict, secret: string): TopicVerdict {
  const mask = (key: string) =>
    `#${createHmac('sha256', secret).update(verdict.topic).update('\0').update(key).digest('hex').slice(0, MASK_CHARACTERS)}`
  const { stale, unreadable } = verdict
  return {
    ...verdict,
    stale: { ...stale, named: stale.named.map((one) => ({ ...one, key: mask(one.key) })) },
    unreadable: {
      ...unreadable,
      named: unreadable.named.map((one) => ({ ...one, key: one.key === null ? null : mask(one.key) })),
    },
  }
}

/** One sentence over all verdicts; undefined when all is well. */
export function failureOf(verdicts: readonly EntityVerdict[]): string | undefined {
  const wrong = verdicts.filter(({ ok }) => !ok)
  if (wrong.length === 0) return undefined
  const parts = wrong.map(({ topic, stale, unreadable }) => {
    const said = [
      ...(stale.count > 0 ? [`${count(stale.count, 'key')} with an older version last`] : []),
      ...(unreadable.count > 0 ? [`${count(unreadable.count, 'unreadable record')}`] : []),
    ]
    return `${topic} has ${said.join(' and ')}`
  })
  return `${parts.join('; ')}.`
}

/** The verdicts as a person reads them. */
export function formatVerdicts(verdicts: readonly EntityVerdict[]): string[] {
  return verdicts.flatMap((verdict, index) => [...(index > 0 ? [''] : []), ...formatVerdict(verdict)])
}

function formatVerdict(verdict: EntityVerdict): string[] {
  const { entity, ok, records, keys, liveKeys, deletedKeys, passes, stale, unreadable } = verdict
  const lines = [
    `${entity}: ${ok ? 'in order' : 'WRONG'}`,
    `  ${count(records, 'record')}, ${count(keys, 'key')}: ${number(liveKeys)} live, ${number(deletedKeys)} deleted`,
  ]
  if (passes > 1) lines.push(`  read ${passes} times: ${passReasons(verdict).join('; ')}`)
  if (stale.count > 0) lines.push(...paragraph(`${count(stale.count, 'key')} with an older version last:`))
  for (const { key, partition, last, newest } of stale.named)
    lines.push(
      `    ${shown(verdict, key)}`,
      `      partition ${partition}: last ${last.version} at offset ${last.offset}, newest ${newest.version} at offset ${newest.offset}`,
    )
  lines.push(...others(stale.count - stale.named.length))
  if (unreadable.count > 0) lines.push(...paragraph(`${count(unreadable.count, 'record')} that cannot be read:`))
  for (const { key, partition, offset, reason } of unreadable.named)
    lines.push(
      `    partition ${partition}, offset ${offset}: ${reason}${key === null ? '' : `, ${shown(verdict, key)}`}`,
    )
  lines.push(...others(unreadable.count - unreadable.named.length))
  if (!verdict.keysShown && stale.named.length + unreadable.named.length > 0)
    lines.push(...paragraph('The key is personal: #… stands for it. --show-keys shows it.'))
  if (stale.count > 0)
    lines.push(
      ...paragraph(
        'Change these rows at the source: their next change repairs topic and subscribers. Then report this.',
      ),
    )
  if (unreadable.count > 0)
    lines.push(...paragraph('Find out what else writes to the topic. The next change of such a key repairs it.'))
  return lines
}

function passReasons({ slices, passes }: EntityVerdict): string[] {
  return [
    ...(slices > 1 ? [`the keys in ${slices} slices, as they are more than --keys-at-once`] : []),
    ...(passes > slices ? ['what looked wrong once more'] : []),
  ]
}

function shown({ keysShown }: EntityVerdict, key: string): string {
  // Quoted: a key may hold what a terminal would act on.
  return keysShown ? `key ${JSON.stringify(key)}` : `key ${key}`
}

function others(left: number): string[] {
  return left > 0 ? [`    and ${number(left)} more (--limit)`] : []
}

function paragraph(text: string): string[] {
  return wrap(text, WIDTH_MAX - 2).map((line) => `  ${line}`)
}

/** What a terminal shows while it reads. */
export function formatProgress(entity: string, { pass, keySpaceDone, read, all }: VerifyProgress): string {
  const part = all === 0 ? 100 : Math.floor((100 * read) / all)
  const keys = pass > 1 ? `, ${Math.floor(100 * keySpaceDone)}% of the keys done before` : ''
  return `${entity}: reading ${pass > 1 ? `(${pass}) ` : ''}${part}% of ${number(all)} offsets${keys}`
}

function count(of: number, noun: string): string {
  return `${number(of)} ${noun}${of === 1 ? '' : 's'}`
}

function number(of: number): string {
  return of.toLocaleString('en-GB')
}
