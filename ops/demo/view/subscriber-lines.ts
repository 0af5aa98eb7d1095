import { type Line, piece, type Tone } from './line.ts'
import { countText, durationText, latencyText, sparkText } from './numbers.ts'
import type { SubscriberState, SubscriberView } from './subscribers.ts'
import { cell } from './width.ts'

const COLUMNS_WIDE = 96
/** Some records are always on their way: they are no mountain. */
const FULL_MIN = 20

/** What a kind of system is called by those who use it. */
const SYSTEM_NAMES: Readonly<Record<string, string>> = {
  warehouse: 'PostgreSQL',
  dataverse: 'Dynamics 365',
  shopify: 'Shopify',
}

const STATES: Readonly<Record<SubscriberState, readonly [string, Tone]>> = {
  ok: ['● ok', 'good'],
  'catching-up': ['● catching up', 'warning'],
  retrying: ['● retrying', 'warning'],
  down: ['● breaker open', 'bad'],
}

/** A line for each subscriber: its state, how far behind it is and was, how fast its patches take effect, and what it refused. */
export function subscriberLines(subscribers: readonly SubscriberView[], inner: number): Line[] {
  const isWide = inner >= COLUMNS_WIDE
  const columns = isWide
    ? { name: 12, type: 14, state: 15, behind: 8, history: 16, p50: 9, p99: 9, dead: 13 }
    : { name: 11, type: 0, state: 15, behind: 7, history: 14, p50: 10, p99: 10, dead: 9 }
  const right = (text: string, width: number, tone: Tone = 'plain') => piece(cell(text, width, 'right'), tone)
  const header: Line = [
    piece(cell('subscriber', columns.name) + cell('', columns.type) + cell('state', columns.state), 'quiet'),
    right('behind', columns.behind, 'quiet'),
    piece(`  ${cell(`last ${columns.history - 2} s`, columns.history - 2)}`, 'quiet'),
    right('p50', columns.p50, 'quiet'),
    right('p99', columns.p99, 'quiet'),
    right(isWide ? 'dead letters' : 'dead', columns.dead, 'quiet'),
  ]
  return [
    header,
    ...subscribers.map((subscriber): Line => {
      const { name, type, state, behind, behindHistory, latency, deadLetters } = subscriber
      const [text, tone] = STATES[state]
      const isLate = state === 'down' || state === 'catching-up'
      const history = behindHistory.slice(2 - columns.history)
      return [
        piece(cell(name, columns.name)),
        piece(cell(SYSTEM_NAMES[type] ?? type, columns.type), 'quiet'),
        piece(cell(text, columns.state), tone),
        right(behind === null ? '–' : countText(behind), columns.behind, isLate ? 'warning' : 'strong'),
        piece(`  ${sparkText(history, FULL_MIN)}`, isLate ? 'warning' : 'quiet'),
        right(latency === null ? '–' : latencyText(latency.p50), columns.p50),
        right(latency === null ? '–' : latencyText(latency.p99), columns.p99, 'quiet'),
        right(countText(deadLetters), columns.dead, deadLetters > 0 ? 'bad' : 'plain'),
      ]
    }),
  ]
}

/** How the newest outage of a subscriber goes, or went; null where there was none. */
export function outageLine(subscribers: readonly SubscriberView[]): Line | null {
  const found = subscribers.find(({ outage }) => outage !== null)
  if (found === undefined) return null
  const { name, deadLetters, outage } = found
  const { downMs, behindMost, caughtUpMs } = outage!
  if (caughtUpMs === null)
    return [
      piece('! ', 'warning'),
      piece(`${name} `, 'strong'),
      piece(
        found.state === 'down'
          ? `is down for ${durationText(downMs)}; its changes wait, and the others go on`
          : `is back after ${durationText(downMs)}, and catches up`,
      ),
    ]
  const dead = deadLetters === 0 ? 'none dead' : `${countText(deadLetters)} dead`
  return [
    piece('✓ ', 'good'),
    piece(`${name} `, 'strong'),
    piece(
      `was down ${durationText(downMs)} and caught up by itself: ${countText(behindMost)} changes in ${durationText(caughtUpMs)}, ${dead}`,
    ),
  ]
}
