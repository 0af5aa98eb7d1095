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
setInterval(() => {
  const { heapUsed, heapTotal, external, arrayBuffers } = process.memoryUsage()
  const probe: Probe = {
    heapUsed,
    heapTotal,
    external,
    arrayBuffers,
    delayP99Ms: delay.percentile(99) / 1e6,
    delayMaxMs: delay.max / 1e6,
  }
  if (process.connected) process.send!(probe)
}, EVERY_MS).unref()
