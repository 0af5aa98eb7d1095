import { loadavg } from 'node:os'
import type { Progress } from '../../support/progress.ts'
import type { Contender, Run, Scenario } from '../results.ts'
import { type Stage, Void } from '../stage.ts'
import type { DebeziumName } from '../worker/settings.ts'
import { killWatched } from '../worker/watched-process.ts'

export interface CompareOptions {
  readonly rows: number
  readonly keys: number
  readonly repeat: number
  readonly seconds: number
  readonly rates: readonly number[]
  /** Which of Debezium's variants are measured, where they make sense. */
  readonly beside: readonly DebeziumName[]
}

/** What a scenario works with. */
export interface Bench {
  readonly stage: Stage
  readonly progress: Progress
  readonly options: CompareOptions
  /** Measures each contender as often as asked, every other time in reverse order, and records what comes of it. */
  rounds(
    scenario: Scenario,
    contenders: readonly Contender[],
    measure: (contender: Contender) => Promise<Figures>,
    /** Goes before each round. */
    prepare?: (round: number) => Promise<void>,
  ): Promise<void>
}

export type Figures = Readonly<Record<string, number>>

export function createBench(
  stage: Stage,
  progress: Progress,
  options: CompareOptions,
  record: (run: Run) => void,
): Bench {
  return {
    stage,
    progress,
    options,
    async rounds(scenario, contenders, measure, prepare) {
      for (let round = 1; round <= options.repeat; round++) {
        await prepare?.(round)
        for (const contender of round % 2 === 1 ? contenders : contenders.toReversed()) {
          progress.step(`${scenario}, round ${round} of ${options.repeat}: ${contender}`)
          const base = { scenario, contender, round, load: Number(loadavg()[0]!.toFixed(2)) }
          try {
            record({ ...base, figures: await measure(contender), void: null })
          } catch (error) {
            // One that fails takes nothing from the others: it is recorded as void, with the reason.
            const reason = (error as Error).message
            await killWatched()
            record({ ...base, figures: {}, void: error instanceof Void ? reason : `failed: ${reason}` })
          }
        }
      }
    },
  }
}
