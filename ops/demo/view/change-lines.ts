import type { RecentChange } from '../view-model.ts'
import { clipLine, type Line, lineWidth, piece, type Tone } from './line.ts'
import { latencyText } from './numbers.ts'
import type { Arrival, OneChangeView } from './one-change.ts'
import { keyText } from './value-text.ts'
import { cell } from './width.ts'

const LATENCY_COLUMNS = 9
const SUBSCRIBER_COLUMNS = 12
const COLUMNS_WIDE = 96

const KIND_MARKS: Readonly<Record<RecentChange['kind'], readonly [string, Tone]>> = {
  create: ['+', 'good'],
  update: ['~', 'accent'],
  delete: ['−', 'bad'],
}

/** The list of changes, newest first, filled up to `linesMax` so that what stands below stays where it is. */
export function recentLines(recent: readonly RecentChange[], inner: number, linesMax: number): Line[] {
  const isWide = inner >= COLUMNS_WIDE
  const columns = { time: 10, subscriber: isWide ? 12 : 11, entity: 13, key: isWide ? 15 : 10 }
  const patchColumns = inner - Object.values(columns).reduce((sum, width) => sum + width, 2 + LATENCY_COLUMNS)
  const header: Line = [
    piece(
      cell('time', columns.time) +
        cell('subscriber', columns.subscriber) +
        cell('entity', columns.entity) +
        cell('key', columns.key) +
        cell('the patch it became', patchColumns + 2) +
        cell('latency', LATENCY_COLUMNS, 'right'),
      'quiet',
    ),
  ]
  const shown = recent.slice(0, linesMax).map((change): Line => {
    const tone = change.watched ? 'strong' : 'plain'
    return [
      piece(cell(change.time, columns.time - 1), change.watched ? 'strong' : 'quiet'),
      piece(change.watched ? '▸' : ' ', 'accent'),
      piece(cell(change.subscriber, columns.subscriber - 1), tone),
      piece(' '),
      piece(cell(change.entity, columns.entity - 1), tone),
      piece(' '),
      piece(cell(keyText(change.key, columns.key - 1), columns.key), tone),
      ...patchAndLatency(change, patchColumns),
    ]
  })
  return [header, ...shown, ...Array.from({ length: Math.max(0, linesMax - shown.length) }, (): Line => [])]
}

const ABSENT_TEXT: Readonly<Record<Exclude<Arrival['state'], 'arrived'>, readonly [string, Tone]>> = {
  waits: ['waits', 'warning'],
  newer: ['a newer change of it came, and held this one too', 'quiet'],
  none: ['takes none of the fields that changed', 'quiet'],
}

/** One change, and what it became at each subscriber. */
export function oneChangeLines(
  change: OneChangeView | null,
  subscribers: readonly { readonly name: string; readonly state: string }[],
  inner: number,
): Line[] {
  const title = piece('one change, ', 'quiet')
  const patches = piece(`${countWord(subscribers.length)} patches`, 'quiet')
  if (change === null)
    return [[title, patches], ...subscribers.map(({ name }): Line => [piece(`  ${cell(name, SUBSCRIBER_COLUMNS)}`)])]
  const patchColumns = inner - 2 - SUBSCRIBER_COLUMNS - 2 - LATENCY_COLUMNS
  const header: Line = [title, patches, piece('   '), piece(`${change.entity} ${keyText(change.key, 24)}`, 'strong')]
  return [
    [...header, piece(`  at ${change.time}`, 'quiet')],
    ...change.arrivals.map((arrival): Line => {
      const name = piece(`  ${cell(arrival.subscriber, SUBSCRIBER_COLUMNS)}`)
      if (arrival.patch !== null) return [name, ...patchAndLatency(arrival.patch, patchColumns)]
      const [text, tone] = ABSENT_TEXT[arrival.state as keyof typeof ABSENT_TEXT]
      const isDown = subscribers.some(({ name, state }) => name === arrival.subscriber && state === 'down')
      return [name, piece(`  ${arrival.state === 'waits' && isDown ? 'waits: it is down' : text}`, tone)]
    }),
  ]
}

function countWord(count: number): string {
  return ['no', 'one', 'two', 'three', 'four', 'five'][count] ?? String(count)
}

function patchAndLatency(change: RecentChange, columns: number): Line {
  const [mark, tone] = KIND_MARKS[change.kind]
  const patch = patchPieces(change, columns)
  return [
    piece(`${mark} `, tone),
    ...patch,
    piece(' '.repeat(Math.max(0, columns - lineWidth(patch)))),
    piece(cell(latencyText(change.latencyMs), LATENCY_COLUMNS, 'right'), change.watched ? 'strong' : 'quiet'),
  ]
}

/** As many fields as fit, whole, then how many more there are; a first field that is too long is clipped. */
function patchPieces(change: RecentChange, columns: number): Line {
  if (change.kind === 'delete') return [piece('deleted', 'quiet')]
  if (change.fields.length === 0) return [piece('no mapped field', 'quiet')]
  let shown: Line = []
  for (const [at, field] of change.fields.entries()) {
    const left = change.fields.length - at - 1
    const more = left > 0 ? ` +${left}` : ''
    const next: Line = [
      ...shown,
      piece(`${at > 0 ? '  ' : ''}${field.name}=`, 'quiet'),
      piece(field.text, field.masked ? 'quiet' : change.watched ? 'strong' : 'plain'),
    ]
    if (lineWidth(next) + more.length > columns) {
      const rest = ` +${left + 1}`
      if (at > 0) return clipLine([...shown, piece(rest, 'quiet')], columns)
      return [...clipLine(next, columns - more.length), piece(more, 'quiet')]
    }
    shown = next
  }
  return shown
}
