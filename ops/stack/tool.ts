import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { systemCode } from '../../schemas/errors.ts'

/** A program that prepares something and ends: Maven, initdb, Kafka's formatter. */
export interface Tool {
  readonly file: string
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  readonly uid?: number
  readonly gid?: number
}

export interface ToolRun {
  /** Its output is appended here. */
  readonly logFile: string
  /** Aborting kills the tool and all it started. */
  readonly signal: AbortSignal
  /** Given the output too, in pieces. */
  readonly onOutput?: (piece: string) => void
}

const TAIL_LINES_MAX = 12
const TAIL_LINE_CHARS_MAX = 300

/** Runs a tool to its end. Answers its exit code (null when a signal ended it). @throws when it cannot be started, or on abort */
export async function runTool(tool: Tool, run: ToolRun): Promise<number | null> {
  run.signal.throwIfAborted()
  const log = openSync(run.logFile, 'a')
  try {
    const child = spawn(tool.file, tool.args, {
      // A process group of its own, so that a kill reaches what it starts in turn, and Ctrl-C does not reach it first.
      detached: true,
      stdio: ['ignore', run.onOutput === undefined ? log : 'pipe', log],
      env: tool.env ?? process.env,
      ...(tool.cwd === undefined ? {} : { cwd: tool.cwd }),
      ...(tool.uid === undefined ? {} : { uid: tool.uid }),
      ...(tool.gid === undefined ? {} : { gid: tool.gid }),
    })
    if (run.onOutput !== undefined) child.stdout?.setEncoding('utf8').on('data', run.onOutput)
    const kill = () => killGroup(child.pid)
    run.signal.addEventListener('abort', kill)
    try {
      const [code] = (await once(child, 'close')) as [number | null]
      run.signal.throwIfAborted()
      return code
    } finally {
      run.signal.removeEventListener('abort', kill)
    }
  } finally {
    closeSync(log)
  }
}

/** Kills a process and its group. Nothing happens when they are gone already. */
export function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (cause) {
    if (systemCode(cause) !== 'ESRCH') throw cause
  }
}

/** The last lines of a log, indented, for an error message. */
export async function logTail(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '')
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  if (lines.length === 0) return '  (the log is empty)'
  return lines
    .slice(-TAIL_LINES_MAX)
    .map((line) => `  ${line.slice(0, TAIL_LINE_CHARS_MAX)}`)
    .join('\n')
}
