import { writeSync } from 'node:fs'
import { residentKb } from '../../support/process-usage.ts'

/** Loaded before a command: at its end it tells the most memory that was ever resident, in kB, on this file descriptor. */
const PEAK_FD = 3

process.on('exit', () => writeSync(PEAK_FD, String(residentKb(process.pid).peak)))
