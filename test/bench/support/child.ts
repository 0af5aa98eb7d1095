import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { COMMAND_ENV, NODE_FLAGS } from '../../support/first-line.ts'
import type { BareOrder, BareReport, Notice, Order, PipelineOrder, PipelineReport, Samples } from './messages.ts'

/** A child process of a benchmark, so that each of those that are compared has an event loop and a heap of its own. */
export interface Child<Report> {
  /** The last it has told. */
  readonly report: Report | null
  /**
   * Waits until a report is as wanted.
   * @throws Error when the child ends before, or nothing it tells changes for {@link STALLED_MS}
   */
  until(wanted: (report: Report) => boolean, onReport?: (report: Report) => void): Promise<Report>
  samples(): Promise<Samples>
  /** Asks it to stop as SIGTERM would, and waits. */
  stop(): Promise<void>
}

/** Without any news for so long a benchmark has failed. */
const STALLED_MS = 60_000
const STOP_MS_MAX = 30_000
const LOG_CHARS_MAX = 20_000

export interface ChildOptions {
  readonly env: NodeJS.ProcessEnv
  /** Where Node writes a profile of the child; none when undefined. */
  readonly profileFolder: string | undefined
}

const SCRIPTS = {
  pipeline: fileURLToPath(new URL('./pipeline-process.ts', import.meta.url)),
  bare: fileURLToPath(new URL('./bare-reader-process.ts', import.meta.url)),
}

export function startPipeline(order: PipelineOrder, options: ChildOptions): Child<PipelineReport> {
  return start('pipeline', order, options)
}

export function startBareReader(order: BareOrder, options: ChildOptions): Child<BareReport> {
  return start('bare', order, options)
}

const running = new Set<ChildProcess>()

/** Ends whatever still runs, because the benchmark failed or was interrupted. */
export async function killChildren(): Promise<void> {
  const ended = [...running].map((child) => new Promise((resolve) => child.once('exit', resolve)))
  for (const child of running) child.kill('SIGKILL')
  await Promise.all(ended)
}

function start<Report>(
  script: keyof typeof SCRIPTS,
  order: PipelineOrder | BareOrder,
  { env, profileFolder }: ChildOptions,
): Child<Report> {
  const profile =
    profileFolder === undefined
      ? []
      : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`, `--cpu-prof-name=${script}-${Date.now()}.cpuprofile`]
  const child = fork(SCRIPTS[script], [JSON.stringify(order)], {
    env: { ...env, ...COMMAND_ENV },
    execArgv: [...NODE_FLAGS, ...profile],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  running.add(child)
  let report: Report | null = null
  let failure: string | null = null
  let log = ''
  let wake = () => {}
  let giveSamples = (_samples: Samples) => {}
  const exited = new Promise<void>((resolve) =>
    child.once('exit', () => {
      running.delete(child)
      resolve()
      wake()
    }),
  )
  child.stderr!.on('data', (chunk) => {
    log = (log + chunk).slice(-LOG_CHARS_MAX)
  })
  child.on('message', (notice: Notice<Report>) => {
    if (notice.kind === 'failed') failure = notice.reason
    else if (notice.kind === 'samples') giveSamples(notice.samples)
    else if (notice.kind === 'report') report = notice.report
    wake()
  })
  const ended = () => new Error(`the ${script} process ended too early${failure ? `: ${failure}` : ''}\n${log}`)

  return {
    get report() {
      return report
    },
    async until(wanted, onReport = () => {}) {
      let seen = ''
      let changedAt = performance.now()
      for (;;) {
        if (report !== null) {
          onReport(report)
          if (wanted(report)) return report
          const now = JSON.stringify({ ...report, cpuSeconds: 0, maxRssBytes: 0 })
          if (now !== seen) changedAt = performance.now()
          seen = now
        }
        if (failure !== null || !running.has(child)) throw ended()
        if (performance.now() - changedAt > STALLED_MS)
          throw new Error(`the ${script} process told nothing new for ${STALLED_MS} ms\n${seen}\n${log}`)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, STALLED_MS)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
    },
    samples() {
      const given = new Promise<Samples>((resolve) => {
        giveSamples = resolve
      })
      child.send({ kind: 'samples' } satisfies Order)
      return given
    },
    async stop() {
      if (!running.has(child)) return
      // One that has just ended by itself need not be told.
      if (child.connected) child.send({ kind: 'stop' } satisfies Order, () => {})
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
      await exited
      clearTimeout(timer)
    },
  }
}
