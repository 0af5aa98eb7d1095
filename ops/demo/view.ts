import { oneChangeLines, recentLines } from './view/change-lines.ts'
import { wrapCommand } from './view/command.ts'
import { clipLine, type Line, lineWidth, paintLine, piece, spread, type Tone } from './view/line.ts'
import { barText, clockText, countText, durationText, rateText, sparkText } from './view/numbers.ts'
import { outageLine, subscriberLines } from './view/subscriber-lines.ts'
import { cell } from './view/width.ts'
import { type EntityView, RECENT_MAX, type RecentChange, type ServiceView, type ViewModel } from './view-model.ts'

const MARGIN = 2
const NAME_COLUMNS = 14
/** Wider lines are harder to read, so a wide terminal leaves the rest empty. */
const COLUMNS_MAX = 120
const SPARK_MIN = 8
const SPARK_GAP = 3
const EMPTY: Line = []

/**
 * The whole screen as lines from top to bottom.
 * @returns at most `rows` lines of at most `columns` cells, without line ends; control codes only when `colour`
 */
export function renderView(model: ViewModel, columns: number, rows: number, colour: boolean): string[] {
  const inner = Math.max(1, Math.min(columns, COLUMNS_MAX) - 2 * MARGIN)
  const kept = LAYOUTS.map((layout) => layOut(model, inner, rows, layout)).find((lines) => lines !== null) ?? [
    headLine(model, inner),
    ...(rows > 2 ? [flowLine(model, inner)] : []),
    stopLine(model),
  ]
  const margin = piece(' '.repeat(Math.min(MARGIN, columns)))
  return kept.slice(0, Math.max(0, rows)).map((line) => paintLine([margin, ...clipLine(line, inner)], columns, colour))
}

/** What is left out when the terminal is low, step by step: what the person can do without first. */
interface Layout {
  readonly table: boolean
  readonly stack: boolean
  readonly lookAt: boolean
  readonly gaps: boolean
  readonly tryIt: boolean
  readonly oneChange: boolean
  /** Fewer lines of the list than this are not worth their place; 0: no list. */
  readonly recentMin: number
}

const ALL: Layout = {
  table: true,
  stack: true,
  lookAt: true,
  gaps: true,
  tryIt: true,
  oneChange: true,
  recentMin: 6,
}

const LAYOUTS: readonly Layout[] = [
  ALL,
  { ...ALL, table: false, recentMin: 4 },
  { ...ALL, table: false, stack: false, recentMin: 3 },
  { ...ALL, table: false, stack: false, lookAt: false, recentMin: 2 },
  { ...ALL, table: false, stack: false, lookAt: false, gaps: false, recentMin: 2 },
  { ...ALL, table: false, stack: false, lookAt: false, gaps: false, recentMin: 0 },
  { ...ALL, table: false, stack: false, lookAt: false, gaps: false, tryIt: false, recentMin: 0 },
  { ...ALL, table: false, stack: false, lookAt: false, gaps: false, tryIt: false, oneChange: false, recentMin: 0 },
]

function layOut(model: ViewModel, inner: number, rows: number, layout: Layout): Line[] | null {
  const head = [headLine(model, inner), rule(inner)]
  const body = model.stage === 'starting' ? startingLines(model) : runningLines(model, inner, layout)
  const foot = footLines(model, inner, layout)
  const room = rows - head.length - body.length - foot.length
  if (model.stage === 'starting' || model.stage === 'snapshot' || layout.recentMin === 0)
    return room >= 0 ? [...head, ...body, ...foot] : null
  // Its header, and the line below it.
  const recentMax = Math.min(room - 2, RECENT_MAX)
  if (recentMax < layout.recentMin) return null
  return [...head, ...body, ...recentLines(notFollowed(model), inner, recentMax), EMPTY, ...foot]
}

/** The list without what the one change shows above it. */
function notFollowed({ recent, oneChange }: ViewModel): readonly RecentChange[] {
  const followed = oneChange?.arrivals.map(({ patch }) => patch) ?? []
  return recent.filter((change) => !followed.includes(change))
}

const STAGE_TEXT: Readonly<Record<ViewModel['stage'], readonly [string, Tone]>> = {
  starting: ['starting the local stack', 'warning'],
  snapshot: ['copying what is there', 'warning'],
  streaming: ['streaming changes', 'good'],
  stopping: ['stopping', 'warning'],
}

function headLine(model: ViewModel, inner: number): Line {
  const [text, tone] = STAGE_TEXT[model.stage]
  const left: Line = [piece('tributary', 'strong'), piece('   '), piece('● ', tone), piece(text)]
  return spread(left, [piece(clockText(model.upMs), 'quiet')], inner)
}

function rule(inner: number): Line {
  return [piece('─'.repeat(inner), 'quiet')]
}

const SERVICE_MARKS: Readonly<Record<ServiceView['state'], readonly [string, Tone]>> = {
  waiting: ['·', 'quiet'],
  starting: ['◌', 'warning'],
  ready: ['✓', 'good'],
  failed: ['✗', 'bad'],
}

function startingLines(model: ViewModel): Line[] {
  const lines = model.services.map((service): Line => {
    const [mark, tone] = SERVICE_MARKS[service.state]
    const took = service.state === 'waiting' ? '' : durationText(service.tookMs)
    return [
      piece(mark, tone),
      piece(` ${cell(service.name, 16)}`, service.state === 'waiting' ? 'quiet' : 'plain'),
      piece(cell(took, 10, 'right'), 'quiet'),
      piece(`   ${service.detail || service.state}`, service.state === 'failed' ? 'bad' : 'quiet'),
    ]
  })
  return [EMPTY, ...lines, EMPTY]
}

function runningLines(model: ViewModel, inner: number, layout: Layout): Line[] {
  const copying = model.stage === 'snapshot'
  const gap = layout.gaps ? [EMPTY] : []
  const outage = outageLine(model.subscribers)
  return [
    ...(layout.stack ? stackLine(model.services) : []),
    ...gap,
    flowLine(model, inner),
    ...gap,
    ...(copying ? [...snapshotLines(model.entities, inner), EMPTY] : []),
    ...(!copying && layout.table ? [...entityLines(model.entities, inner), EMPTY] : []),
    ...subscriberLines(model.subscribers, inner),
    ...(copying ? [] : outage === null ? [EMPTY] : [outage, ...gap]),
    ...(!copying && layout.oneChange ? [...oneChangeLines(model.oneChange, model.subscribers, inner), ...gap] : []),
    ...(copying ? [EMPTY] : []),
  ]
}

function stackLine(services: readonly ServiceView[]): Line[] {
  if (services.length === 0) return []
  const pieces = services.flatMap(({ name, state }) => {
    const [mark, tone] = SERVICE_MARKS[state]
    return [piece(mark, tone), piece(` ${name}  `, 'quiet')]
  })
  return [pieces]
}

function flowLine(model: ViewModel, inner: number): Line {
  const rate = (name: string, perSecond: number): Line => [
    piece(`${name} `),
    piece(rateText(perSecond), 'strong'),
    piece('/s'),
  ]
  const arrow = piece('  →  ', 'quiet')
  const { captured, published, patched } = model.rates
  const flow: Line = [
    ...rate('captured', captured),
    arrow,
    ...rate('published', published),
    arrow,
    ...rate('patched', patched),
  ]
  const sparkColumns = Math.min(30, inner - lineWidth(flow) - SPARK_GAP)
  const spark: Line =
    model.stage !== 'snapshot' && sparkColumns >= SPARK_MIN
      ? [piece(sparkText(model.patchedHistory.slice(-sparkColumns)), 'accent')]
      : []
  return spread(flow, spark, inner)
}

function snapshotLines(entities: readonly EntityView[], inner: number): Line[] {
  const rowsColumns = 18
  const rateColumns = 11
  const leftColumns = 11
  const bar = Math.max(8, inner - NAME_COLUMNS - rowsColumns - rateColumns - leftColumns - 1)
  const header: Line = [
    piece(
      cell('entity', NAME_COLUMNS) +
        cell('snapshot', bar) +
        cell('rows', rowsColumns, 'right') +
        cell('per s', rateColumns, 'right') +
        cell('left', leftColumns, 'right'),
      'quiet',
    ),
  ]
  return [
    header,
    ...entities.map(({ name, snapshot }): Line => {
      if (!snapshot) return [piece(cell(name, NAME_COLUMNS), 'quiet'), piece('waits', 'quiet')]
      const share = snapshot.done ? 1 : snapshot.rowsEstimated > 0 ? snapshot.rowsDone / snapshot.rowsEstimated : 0
      const { done, rest } = barText(share, bar)
      const rows = snapshot.done
        ? countText(snapshot.rowsDone)
        : `${countText(snapshot.rowsDone)} / ${countText(snapshot.rowsEstimated)}`
      const left = snapshot.done ? `✓ ${durationText(snapshot.tookMs)}` : leftText(snapshot.leftMs)
      return [
        piece(cell(name, NAME_COLUMNS)),
        piece(done, snapshot.done ? 'good' : 'accent'),
        piece(rest, 'quiet'),
        piece(cell(rows, rowsColumns, 'right')),
        piece(cell(rateText(snapshot.rowsPerSecond), rateColumns, 'right'), 'quiet'),
        piece(cell(left, leftColumns, 'right'), snapshot.done ? 'good' : 'plain'),
      ]
    }),
  ]
}

function leftText(leftMs: number | null): string {
  return leftMs === null ? '…' : durationText(Math.ceil(leftMs / 1_000) * 1_000).replace('.0 s', ' s')
}

function entityLines(entities: readonly EntityView[], inner: number): Line[] {
  const cells = Math.min(16, Math.floor((inner - NAME_COLUMNS) / 4))
  const right = (text: string, tone: Tone = 'plain') => piece(cell(text, cells, 'right'), tone)
  const header: Line = [
    piece(cell('entity', NAME_COLUMNS), 'quiet'),
    ...['snapshot', 'published', 'patched', 'gated'].map((text) => right(text, 'quiet')),
  ]
  return [
    header,
    ...entities.map(({ name, snapshot, changes, patches, gated }): Line => {
      const share = snapshot && snapshot.rowsEstimated > 0 ? snapshot.rowsDone / snapshot.rowsEstimated : 0
      const copied = !snapshot ? '–' : snapshot.done ? countText(snapshot.rowsDone) : `${Math.floor(share * 100)} %`
      return [
        piece(cell(name, NAME_COLUMNS)),
        right(copied, snapshot?.done ? 'quiet' : 'warning'),
        right(countText(changes)),
        right(countText(patches)),
        right(countText(gated), 'quiet'),
      ]
    }),
  ]
}

function stopLine(model: ViewModel): Line {
  if (model.stage === 'stopping') return [piece('Stopping everything; nothing is left behind', 'quiet')]
  const stops = piece('Ctrl-C stops everything and leaves nothing behind', 'quiet')
  const { outage } = model
  if (model.stage !== 'streaming' || outage === null || outage.key === null) return [stops]
  const does = outage.failing ? `heals the ${outage.subscriber}` : `makes the ${outage.subscriber} fail`
  return [piece(outage.key, 'accent'), piece(` ${does}   `), stops]
}

function footLines(model: ViewModel, inner: number, layout: Layout): Line[] {
  if (model.stage !== 'streaming' || !layout.tryIt) return [stopLine(model)]
  const command = (title: string, text: string): Line[] => [
    [piece(title, 'quiet')],
    ...wrapCommand(text, inner - 2).map((line): Line => [piece(`  ${line}`, 'accent')]),
  ]
  return [
    ...command('Change something yourself', model.hints.tryIt),
    ...(layout.lookAt ? command('and see it in the warehouse', model.hints.lookAt) : []),
    ...(layout.lookAt ? [[piece('Metrics  ', 'quiet'), piece(model.hints.metrics, 'accent')]] : []),
    rule(inner),
    stopLine(model),
  ]
}
