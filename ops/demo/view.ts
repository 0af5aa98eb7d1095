import { wrapCommand } from './view/command.ts'
import { clipLine, type Line, lineWidth, paintLine, piece, spread, type Tone } from './view/line.ts'
import { barText, clockText, countText, durationText, latencyText, rateText, sparkText } from './view/numbers.ts'
import { keyText } from './view/value-text.ts'
import { cell } from './view/width.ts'
import {
  type EntityView,
  LATENCY_SECONDS,
  RECENT_MAX,
  type RecentChange,
  type ServiceView,
  type ViewModel,
} from './view-model.ts'

const MARGIN = 2
const NAME_COLUMNS = 14
/** Wider lines are harder to read, so a wide terminal leaves the rest empty. */
const COLUMNS_MAX = 120
const COLUMNS_WIDE = 96
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
    ...flowLines(model, inner).slice(0, Math.max(0, rows - 2)),
    stopLine(model),
  ]
  const margin = piece(' '.repeat(Math.min(MARGIN, columns)))
  return kept.slice(0, Math.max(0, rows)).map((line) => paintLine([margin, ...clipLine(line, inner)], columns, colour))
}

/** What is left out when the terminal is low, step by step: what the person can do without first. */
interface Layout {
  readonly stack: boolean
  readonly table: boolean
  readonly lookAt: boolean
  readonly tryIt: boolean
  readonly recentMin: number
}

const LAYOUTS: readonly Layout[] = [
  { stack: true, table: true, lookAt: true, tryIt: true, recentMin: 4 },
  { stack: false, table: true, lookAt: true, tryIt: true, recentMin: 3 },
  { stack: false, table: true, lookAt: false, tryIt: true, recentMin: 3 },
  { stack: false, table: false, lookAt: false, tryIt: true, recentMin: 3 },
  { stack: false, table: false, lookAt: false, tryIt: false, recentMin: 0 },
]

function layOut(model: ViewModel, inner: number, rows: number, layout: Layout): Line[] | null {
  const head = [headLine(model, inner), rule(inner)]
  const body = model.stage === 'starting' ? startingLines(model) : runningLines(model, inner, layout)
  const foot = footLines(model, inner, layout)
  const room = rows - head.length - body.length - foot.length
  if (model.stage === 'starting' || model.stage === 'snapshot' || layout.recentMin === 0)
    return room >= 0 ? [...head, ...body, ...foot] : null
  const recentMax = Math.min(room - 2, RECENT_MAX)
  if (recentMax < layout.recentMin) return null
  return [...head, ...body, ...recentLines(model.recent, inner, recentMax), ...foot]
}

/** The state in one line without codes, for logs and pipes. */
export function renderSummary(model: ViewModel): string {
  const at = clockText(model.upMs)
  if (model.stage === 'starting') {
    const services = model.services.map(({ name, state }) => `${name} ${state}`).join(', ')
    return `${at} starting  ${services}`.trimEnd()
  }
  const parts = [`${at} ${model.stage}`]
  const copying = model.entities.filter((entity) => entity.snapshot && !entity.snapshot.done)
  for (const { name, snapshot } of copying)
    parts.push(`${name} ${countText(snapshot!.rowsDone)} of ${countText(snapshot!.rowsEstimated)}`)
  const { captured, published, patched } = model.rates
  parts.push(`captured ${rateText(captured)}/s  published ${rateText(published)}/s  patched ${rateText(patched)}/s`)
  if (model.latency) {
    const { p50, p95, p99 } = model.latency
    parts.push(`latency p50 ${latencyText(p50)}  p95 ${latencyText(p95)}  p99 ${latencyText(p99)}`)
  }
  if (model.lag !== null) parts.push(`lag ${countText(model.lag)}`)
  parts.push(`dead letters ${countText(model.deadLetters)}`)
  return parts.join('  ')
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
  const table = copying ? snapshotLines(model.entities, inner) : entityLines(model.entities, inner)
  return [
    ...(layout.stack ? stackLine(model.services) : []),
    EMPTY,
    ...flowLines(model, inner),
    EMPTY,
    ...(layout.table || copying ? [...table, EMPTY] : []),
  ]
}

function stackLine(services: readonly ServiceView[]): Line[] {
  if (services.length === 0) return []
  const pieces = services.flatMap(({ name, state }) => {
    const [mark, tone] = SERVICE_MARKS[state]
    return [piece(mark, tone), piece(` ${name}   `, 'quiet')]
  })
  return [pieces]
}

function flowLines(model: ViewModel, inner: number): Line[] {
  const label = (text: string) => piece(cell(text, NAME_COLUMNS), 'quiet')
  const rate = (name: string, perSecond: number): Line => [
    piece(`${name} `),
    piece(rateText(perSecond), 'strong'),
    piece('/s'),
  ]
  const arrow = piece('  →  ', 'quiet')
  const { captured, published, patched } = model.rates
  const flow: Line = [
    label('flow'),
    ...rate('captured', captured),
    arrow,
    ...rate('published', published),
    arrow,
    ...rate('patched', patched),
  ]
  const sparkColumns = inner - lineWidth(flow) - SPARK_GAP
  const spark: Line =
    model.stage !== 'snapshot' && sparkColumns >= SPARK_MIN
      ? [piece(sparkText(model.patchedHistory.slice(-sparkColumns)), 'accent')]
      : []
  const part = (name: string, ms: number): Line => [
    piece(`${name} `, 'quiet'),
    piece(cell(latencyText(ms), 9), 'strong'),
  ]
  const latency: Line = model.latency
    ? [
        label('latency'),
        ...part('p50', model.latency.p50),
        ...part('p95', model.latency.p95),
        ...part('p99', model.latency.p99),
      ]
    : [label('latency'), piece('no change in the last seconds', 'quiet')]
  const meaning = `${inner >= COLUMNS_WIDE ? 'commit → applied, ' : ''}last ${LATENCY_SECONDS} s`
  const behind: Line = [
    label('behind'),
    piece(model.lag === null ? '–' : countText(model.lag), 'strong'),
    piece(' records'),
    piece('     dead letters ', 'quiet'),
    piece(countText(model.deadLetters), model.deadLetters > 0 ? 'bad' : 'strong'),
  ]
  return [spread(flow, spark, inner), spread(latency, [piece(meaning, 'quiet')], inner), behind]
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

const KIND_MARKS: Readonly<Record<RecentChange['kind'], readonly [string, Tone]>> = {
  create: ['+', 'good'],
  update: ['~', 'accent'],
  delete: ['−', 'bad'],
}

function recentLines(recent: readonly RecentChange[], inner: number, linesMax: number): Line[] {
  const keyColumns = inner >= COLUMNS_WIDE ? 18 : 14
  const columns = [10, NAME_COLUMNS, keyColumns, 9] as const
  const patchColumns = inner - columns.reduce((sum, width) => sum + width, 2)
  const header: Line = [
    piece(
      cell('time', columns[0]) +
        cell('entity', columns[1]) +
        cell('key', columns[2]) +
        cell('the patch it became', patchColumns + 2) +
        cell('latency', columns[3], 'right'),
      'quiet',
    ),
  ]
  const shown = recent.slice(0, linesMax).map((change): Line => {
    const [mark, tone] = KIND_MARKS[change.kind]
    const patch = patchPieces(change, patchColumns)
    return [
      piece(cell(change.time, 9), change.watched ? 'strong' : 'quiet'),
      piece(change.watched ? '▸' : ' ', 'accent'),
      piece(cell(change.entity, columns[1] - 1), change.watched ? 'strong' : 'plain'),
      piece(' '),
      piece(cell(keyText(change.key, columns[2] - 2), columns[2]), change.watched ? 'strong' : 'plain'),
      piece(`${mark} `, tone),
      ...patch,
      piece(' '.repeat(Math.max(0, patchColumns - lineWidth(patch)))),
      piece(cell(latencyText(change.latencyMs), columns[3], 'right'), change.watched ? 'strong' : 'quiet'),
    ]
  })
  // Empty lines keep what stands below where it is while the list fills.
  return [header, ...shown, ...Array.from({ length: Math.max(0, linesMax - shown.length) }, () => EMPTY), EMPTY]
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

function stopLine(model: ViewModel): Line {
  const text =
    model.stage === 'stopping'
      ? 'Stopping everything; nothing is left behind'
      : 'Ctrl-C stops everything and leaves nothing behind'
  return [piece(text, 'quiet')]
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
    rule(inner),
    stopLine(model),
  ]
}
