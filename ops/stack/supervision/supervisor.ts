/**
 * The process between a stack's servers and the process that wants them. The servers are its children, and it lives in a session
 * of its own: a Ctrl-C in the terminal, or any end of its parent, reaches it only as the end of their channel. Then it ends what
 * it has started, Maven and initdb included, and itself.
 */
import process from 'node:process'
import { TributaryError } from '../../../schemas/errors.ts'
import { Stack } from './supervised-stack.ts'
import type { ErrorReport, StackReport, StackRequest } from './supervisor-messages.ts'

const stopping = new AbortController()
let stack: Stack | undefined
let finishing = false

function report(message: StackReport): void {
  if (!process.connected) return
  // A parent that is just ending takes no more messages; the `disconnect` that follows is what counts.
  process.send?.(message, () => undefined)
}

function toReport(error: unknown): ErrorReport {
  const message = error instanceof Error ? error.message : String(error)
  return error instanceof TributaryError ? { code: error.code, message } : { message }
}

async function start(order: Extract<StackRequest, { kind: 'start' }>['order']): Promise<void> {
  stack = new Stack(order, stopping.signal, (progress) => report({ kind: 'progress', progress }))
  try {
    const ports = await stack.start()
    // A detached stack is on its own from here.
    if (!order.attached) process.off('disconnect', finish)
    report({ kind: 'ready', ports })
  } catch (error) {
    if (!stopping.signal.aborted) {
      console.error(error)
      report({ kind: 'failed', error: toReport(error) })
    }
    finish()
  }
}

function finish(): void {
  if (finishing) return
  finishing = true
  stopping.abort(new Error('the stack is being stopped'))
  void end()
}

async function end(): Promise<void> {
  try {
    await stack?.stop()
  } catch (error) {
    console.error(error)
    process.exitCode = 1
  }
  if (process.connected) process.disconnect()
  // Nothing is left to wait for; an open handle of a library must not keep this process.
  process.exit()
}

async function answer(request: Extract<StackRequest, { kind: 'restart' | 'kill' }>): Promise<void> {
  try {
    await stack?.[request.kind](request.service)
    report({ kind: 'answer', id: request.id })
  } catch (error) {
    report({ kind: 'answer', id: request.id, error: toReport(error) })
  }
}

process.on('disconnect', finish)
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, finish)
process.on('uncaughtException', (error) => {
  console.error(error)
  process.exitCode = 1
  finish()
})
process.on('message', (request: StackRequest) => {
  if (request.kind === 'start') void start(request.order)
  else if (request.kind === 'stop') finish()
  else void answer(request)
})
// The parent may have ended while this file was being loaded.
if (!process.connected) finish()
