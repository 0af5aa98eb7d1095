import { spawn } from 'node:child_process'
import net from 'node:net'
import { expect } from 'vitest'
import type { ErrorCode } from '../../schemas/errors.ts'

export interface CliRun {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CliProcess {
  readonly stdout: () => string
  readonly stderr: () => string
  readonly exited: Promise<CliRun>
  stop(): Promise<CliRun>
}

/** Starts `tributary <args>` with exactly this environment. */
export function startCli(args: readonly string[], env: NodeJS.ProcessEnv): CliProcess {
  const child = spawn(process.execPath, ['ops/cli/tributary.ts', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const exited = new Promise<CliRun>((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })))
  return {
    stdout: () => stdout,
    stderr: () => stderr,
    exited,
    stop() {
      child.kill('SIGTERM')
      return exited
    },
  }
}

/** Runs `tributary <args>` to its end. */
export function runCli(args: readonly string[], env: NodeJS.ProcessEnv): Promise<CliRun> {
  return startCli(args, env).exited
}

export interface WantedError {
  readonly code: ErrorCode | 'usage'
  readonly exitCode: number
  /** What the message has to say: what is wrong, and what to do next. */
  readonly says: readonly (string | RegExp)[]
  /** Passwords, values. */
  readonly hides?: readonly string[]
}

/** Runs a command twice, for a person and with `--json`, and checks that it fails as one that a stranger understands. */
export async function expectError(args: readonly string[], env: NodeJS.ProcessEnv, wanted: WantedError): Promise<void> {
  const [text, json] = await Promise.all([runCli(args, env), runCli([...args, '--json'], env)])
  const envelope = JSON.parse(json.stdout) as { ok: boolean; error: { code: string; message: string } }
  expect([text.code, json.code, envelope.ok, envelope.error.code], `${text.stderr}\n${json.stdout}`).toStrictEqual([
    wanted.exitCode,
    wanted.exitCode,
    false,
    wanted.code,
  ])
  for (const part of wanted.says) {
    const there = (where: string) => (typeof part === 'string' ? where.includes(part) : part.test(where))
    expect(there(envelope.error.message), `${part} in: ${envelope.error.message}`).toBe(true)
    expect(there(unwrapped(text.stdout + text.stderr)), `${part} in: ${text.stdout}${text.stderr}`).toBe(true)
  }
  for (const output of [text.stdout, text.stderr]) expectReadable(output)
  for (const output of [text, json].flatMap(({ stdout, stderr }) => [stdout, stderr])) {
    expect(output).not.toMatch(/^\s+at .+:\d+/m)
    for (const secret of wanted.hides ?? []) expect(output).not.toContain(secret)
  }
}

/** A message as it was before it was laid out. */
function unwrapped(text: string): string {
  return text.replaceAll(/\n\s+/g, ' ')
}

const COLUMNS = 100

/** No line is wider than a terminal, but for one long word (a path, an address) and the log, which is JSON where there is no terminal. */
export function expectReadable(output: string): void {
  for (const line of output.split('\n').filter((one) => !one.startsWith('{')))
    if (line.trim().includes(' ') && line.length > COLUMNS) expect(line.trim().split(/\s+/).length).toBeLessThan(3)
}

/** A port of this machine where nothing listens. */
export async function closedPort(): Promise<number> {
  const server = await listen()
  const { port } = server.address() as net.AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** A port that takes connections and never says a word. */
export async function silentPort(): Promise<{ port: number; close(): void }> {
  const server = await listen()
  const sockets = new Set<net.Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).resume()
  })
  return {
    port: (server.address() as net.AddressInfo).port,
    close() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

function listen(): Promise<net.Server> {
  const server = net.createServer()
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}
