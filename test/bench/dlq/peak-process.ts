import { readFileSync, writeSync } from 'node:fs'

/** Loaded before a command: at its end it tells the most memory that was ever resident, in kB, on this file descriptor. */
const PEAK_FD = 3

process.on('exit', () => {
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))
  writeSync(PEAK_FD, peak![1]!)
})
