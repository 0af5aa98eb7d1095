import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'

/** Where figures were measured, without which they mean nothing. */
export interface Machine {
  readonly cores: number
  readonly processor: string
  readonly memoryGb: number
  readonly node: string
  readonly platform: string
  /** How busy the machine was before: figures of a busy machine are only good for their ratios. */
  readonly loadBefore: number
}

/** Taken before the benchmark's own servers start. */
const LOAD_BEFORE = Number(loadavg()[0]!.toFixed(2))

export function describeMachine(): Machine {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? 'unknown',
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    loadBefore: LOAD_BEFORE,
  }
}

/** With so much going on before the benchmark, per core, its rates and times are those of others as well. */
const BUSY_LOAD = 0.25

export function isBusy({ loadBefore, cores }: Machine): boolean {
  return loadBefore > BUSY_LOAD * cores
}
