import {
  type About,
  type EffectEntry,
  type Fields,
  historyOf,
  type LetterEntry,
  type RunHistory,
  type SourceEntry,
  type TopicEntry,
} from '../histories/history.ts'

/** A second of the sample's time. */
export const at = (second: number) => 1_000_000 + second * 1_000

export const fields = (a: string, b: string | null = 'x'): Fields => ({ id: '1', a, b })
const version = (position: number) => `1/${position}/0`

export function change(number: number, after: Fields | null, second = number): SourceEntry {
  return { number, atMs: at(second), entity: 'item', key: '1', fields: after, transaction: String(number) }
}

export function record(
  offset: number,
  position: number,
  after: Fields | null,
  more: Partial<TopicEntry> = {},
): TopicEntry {
  return {
    entity: 'item',
    partition: 0,
    offset,
    atMs: at(position) + 100,
    key: '1',
    version: version(position),
    op: after === null ? 'delete' : 'update',
    fields: after,
    hash: after === null ? null : `h${position}`,
    ...more,
  }
}

export function effect(
  destination: string,
  number: number,
  position: number,
  after: Fields | null,
  more: Partial<EffectEntry> = {},
): EffectEntry {
  return {
    destination,
    number,
    atMs: at(position) + 200,
    entity: 'item',
    key: '1',
    version: version(position),
    op: after === null ? 'delete' : 'write',
    sent: destination === 'search' ? after : null,
    after,
    result: 'applied',
    ...more,
  }
}

export function letter(
  offset: number,
  position: number | null,
  more: Partial<LetterEntry['letter'] & object> = {},
): LetterEntry {
  return {
    subscriber: 'search',
    partition: 0,
    offset,
    atMs: at(position ?? offset) + 300,
    entity: 'item',
    key: '1',
    letter:
      position === null
        ? null
        : { version: version(position), reason: 'not-valid', attempts: 1, hash: `h${position}`, ...more },
  }
}

const NAMES = ['id', 'a', 'b']

/** The story of one object in which all is well: made, changed twice, and the same everywhere. A case replaces what it is about. */
export function sample(parts: Partial<Omit<RunHistory, 'about'>> = {}, about: Partial<About> = {}): RunHistory {
  const [first, second, third] = [fields('1'), fields('2'), fields('3')]
  const held = { entity: 'item', key: '1', fields: third }
  return historyOf(
    {
      healedMs: at(1),
      recoveredMs: at(2),
      quietMs: at(9),
      destinations: ['warehouse', 'search'].map((name) => ({
        name,
        comparesVersions: name === 'warehouse',
        fields: { item: NAMES },
      })),
      secrets: ['s3cret'],
      rssBytesMax: 1_000,
      ...about,
    },
    {
      source: [change(1, first), change(2, second), change(3, third)],
      topic: [record(0, 1, first), record(1, 2, second), record(2, 3, third)],
      effects: ['warehouse', 'search'].flatMap((name) => [
        effect(name, 1, 1, first),
        effect(name, 2, 2, second),
        effect(name, 3, 3, third),
      ]),
      progress: [
        {
          atMs: at(9),
          confirmed: '4',
          committed: { warehouse: { 'item/0': 3 }, search: { 'item/0': 3 } },
          ends: { 'item/0': 3 },
          effects: { warehouse: 3, search: 3 },
        },
      ],
      processes: [{ atMs: at(3), process: 'capture', pid: 1, rssBytes: 900 }],
      output: [{ atMs: at(3), process: 'capture', text: 'all is well' }],
      faults: [
        { kind: 'failing', target: 'search', fromMs: at(2) - 100, toMs: at(3) - 100, alone: 'search' },
        { kind: 'flush-ledger', target: 'ledger', fromMs: at(1), toMs: at(1) },
      ],
      states: ['source', 'warehouse', 'search'].map((place) => ({ place, ...held })),
      ...parts,
    },
  )
}
