import { renderChange, renderJson, renderSummary } from './view/plain.ts'
import { renderView } from './view.ts'
import type { ViewModel } from './view-model.ts'

/** The part of a TTY's write stream that is used; `process.stdout` fits. */
interface Screen {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
  write(text: string): unknown
  on(event: 'resize', listener: () => void): unknown
  off(event: 'resize', listener: () => void): unknown
}

export interface LiveViewOptions {
  readonly screen: Screen
  readonly model: () => ViewModel
  readonly environment?: Readonly<Record<string, string | undefined>>
  readonly frameMs?: number
  /** Lines of JSON, on a terminal too. */
  readonly json?: boolean
  /** How often a line is printed where there is no terminal. */
  readonly summaryMs?: number
}

export interface LiveView {
  /** Draws now, for a change of stage that should not wait for the next frame. */
  draw(): void
  /** Draws no more and gives the terminal back as it was, with one line about how it ended. Idempotent. */
  stop(): void
}

const FRAME_MS = 250
const SUMMARY_MS = 3_000
const COLUMNS_DEFAULT = 80
const ROWS_DEFAULT = 24

const ESC = '\x1b['
const ENTER = `${ESC}?1049h${ESC}?25l${ESC}2J`
const LEAVE = `${ESC}0m${ESC}?25h${ESC}?1049l`
/** Terminals that know it show a frame only when it is complete; others ignore it. */
const FRAME_BEGIN = `${ESC}?2026h`
const FRAME_END = `${ESC}?2026l`

/**
 * Shows the model until it is stopped: on a terminal in place, on the alternate screen, writing only the lines that changed; elsewhere
 * one plain line every few seconds. The timer does not keep the process alive. The terminal is given back also when the process exits
 * without {@link LiveView.stop}.
 */
export function startLiveView(options: LiveViewOptions): LiveView {
  const environment = options.environment ?? process.env
  const drawable = options.screen.isTTY === true && environment.TERM !== 'dumb' && !options.json
  return drawable ? drawInPlace(options, !environment.NO_COLOR) : printSummaries(options)
}

function drawInPlace({ screen, model, frameMs }: LiveViewOptions, colour: boolean): LiveView {
  let shown: readonly string[] = []
  let stopped = false

  const draw = () => {
    if (stopped) return
    const lines = renderView(model(), screen.columns ?? COLUMNS_DEFAULT, screen.rows ?? ROWS_DEFAULT, colour)
    const changed = changedLines(shown, lines)
    shown = lines
    if (changed !== '') screen.write(FRAME_BEGIN + changed + FRAME_END)
  }
  const redraw = () => {
    if (stopped) return
    shown = []
    screen.write(`${ESC}2J`)
    draw()
  }
  const restore = () => {
    if (stopped) return
    stopped = true
    screen.write(LEAVE)
  }

  screen.write(ENTER)
  process.once('exit', restore)
  screen.on('resize', redraw)
  const timer = setInterval(draw, frameMs ?? FRAME_MS)
  timer.unref()
  draw()
  return {
    draw,
    stop: () => {
      if (stopped) return
      clearInterval(timer)
      screen.off('resize', redraw)
      process.off('exit', restore)
      restore()
      screen.write(`${renderSummary(model())}\n`)
    },
  }
}

function printSummaries({ screen, model, summaryMs, json }: LiveViewOptions): LiveView {
  let stopped = false
  const printed = { line: '', change: '' }
  const draw = () => {
    if (stopped) return
    const now = model()
    const line = json ? renderJson(now) : renderSummary(now)
    if (line === printed.line) return
    screen.write(`${line}\n`)
    const change = json ? '' : renderChange(now)
    if (change !== '' && change !== printed.change) screen.write(`${change}\n`)
    Object.assign(printed, { line, change: change || printed.change })
  }
  const timer = setInterval(draw, summaryMs ?? SUMMARY_MS)
  timer.unref()
  draw()
  return {
    draw,
    stop: () => {
      draw()
      stopped = true
      clearInterval(timer)
    },
  }
}

/** The control codes that turn the lines on the screen into the next ones. */
export function changedLines(before: readonly string[], after: readonly string[]): string {
  let codes = ''
  for (let at = 0; at < Math.max(before.length, after.length); at++) {
    const line = after[at] ?? ''
    if (line !== (before[at] ?? '')) codes += `${ESC}${at + 1};1H${line}${ESC}K`
  }
  return codes
}
