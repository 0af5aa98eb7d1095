import { expect, test } from 'vitest'
import { changedLines, startLiveView } from '../../../ops/demo/terminal.ts'
import { fillStreaming, sampleModel } from './sample-model.ts'

class FakeScreen {
  readonly isTTY: boolean
  readonly columns = 100
  readonly rows = 36
  written = ''
  listeners = 0

  constructor(isTTY: boolean) {
    this.isTTY = isTTY
  }

  write(text: string): void {
    this.written += text
  }

  on(): void {
    this.listeners++
  }

  off(): void {
    this.listeners--
  }
}

const hour = 3_600_000
const visible = (codes: string) => codes.replaceAll('\x1b', '␛')

function start(screen: FakeScreen, environment: Record<string, string>) {
  const model = sampleModel()
  let nowMs = fillStreaming(model)
  const view = startLiveView({
    screen,
    model: () => model.snapshot(nowMs),
    environment,
    frameMs: hour,
    summaryMs: hour,
  })
  return { view, advance: (ms: number) => (nowMs += ms) }
}

test('only changed lines are written, and lines that are gone are cleared', () => {
  expect(changedLines(['a', 'b', 'c'], ['a', 'x'])).toBe('\x1b[2;1Hx\x1b[K\x1b[3;1H\x1b[K')
  expect(changedLines(['a'], ['a'])).toBe('')
})

test('a frame in which only the clock moved rewrites one line', () => {
  const screen = new FakeScreen(true)
  const { view, advance } = start(screen, { TERM: 'xterm' })
  view.draw()
  screen.written = ''
  view.draw()
  expect(screen.written).toBe('')
  advance(1)
  view.draw()
  expect(screen.written).toBe('')
  view.stop()
})

test('the terminal is given back with its cursor and screen, and one line tells how it ended', () => {
  const screen = new FakeScreen(true)
  const { view } = start(screen, { TERM: 'xterm' })
  expect(screen.written).toContain('\x1b[?1049h\x1b[?25l')
  expect(screen.listeners).toBe(1)
  const exits = process.listenerCount('exit')
  view.stop()
  view.stop()
  view.draw()
  expect(visible(screen.written)).toMatch(/␛\[\?25h␛\[\?1049l00:00:17 streaming[^\n]*\n$/)
  expect(screen.listeners).toBe(0)
  expect(process.listenerCount('exit')).toBe(exits - 1)
})

test('NO_COLOR leaves out colour, not the drawing', () => {
  const coloured = new FakeScreen(true)
  start(coloured, { TERM: 'xterm' }).view.stop()
  const plain = new FakeScreen(true)
  start(plain, { TERM: 'xterm', NO_COLOR: '1' }).view.stop()
  expect(coloured.written).toContain('\x1b[32m')
  expect(visible(plain.written)).not.toMatch(/␛\[[1-9]\d?m/)
  expect(plain.written).toContain('streaming changes')
})

test.each([
  ['a pipe', new FakeScreen(false), {}],
  ['a dumb terminal', new FakeScreen(true), { TERM: 'dumb' }],
])('%s gets plain lines, and none twice', (_, screen, environment) => {
  const { view, advance } = start(screen, environment)
  view.draw()
  advance(hour)
  view.stop()
  const lines = screen.written.split('\n')
  expect(lines).toHaveLength(4)
  expect(lines[0]).toMatch(/^00:00:17 streaming {2}captured/)
  expect(lines[1]).toMatch(/^one change {2}customers 42/)
  expect(lines[2]).toMatch(/^01:00:17 streaming/)
  expect(screen.written).not.toContain('\x1b')
})

test('JSON is asked for on a terminal too', () => {
  const screen = new FakeScreen(true)
  const model = sampleModel()
  const nowMs = fillStreaming(model)
  startLiveView({ screen, json: true, model: () => model.snapshot(nowMs), summaryMs: hour }).stop()
  expect(JSON.parse(screen.written)).toMatchObject({ stage: 'streaming', lag: 2 })
})
