/**
 * Loaded into a measured process before its own code (`node --import`): tells its parent, now and then, what its memory consists of and for
 * how long its event loop was ever kept busy.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Probe } from './measured-process.ts'

const EVERY_MS = 200
const RESOLUTION_MS = 5

const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
delay.enable()
let usedMs = threadMs()
let turnMaxMs = 0
setInterval(() => {
  const now = threadMs()
  turnMaxMs = Math.max(turnMaxMs, now - usedMs)
  usedMs = now
}, RESOLUTION_MS).unref()
// Told that it is ready: loading its modules kept the loop busy, and delayed nobody.
process.once('message', () => {
  delay.reset()
  turnMaxMs = 0
})
process.channel?.unref()
setInterval(() => {
  const { heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage()
  const probe: Probe = {
    heapUsed,
    heapTotal,
    external,
    arrayBuffers,
    delayP99Ms: delay.percentile(99) / 1e6,
    delayMaxMs: delay.max / 1e6,
    turnMaxMs,
  }
  if (process.connected) process.send!(probe)
}, EVERY_MS).unref()

/** Processor time of this thread: unlike a delay, it does not grow when other processes have the processor. */
function threadMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}
