import type { RunningStack } from '../../../ops/stack/stack.ts'
import type { Guarantee } from '../checker/verdict.ts'
import type { Flaw } from './flaw.ts'
import type { Part, Stage } from './stage.ts'

/** What happens on a stage, step by step, so that a build with the flaw goes wrong for certain. */
export interface Scenario {
  readonly flaw: Flaw
  /** Which of the processes has it. */
  readonly part: Part
  /** The guarantees that the flaw breaks here. */
  readonly breaks: readonly Guarantee[]
  /** Whether it is played with a Redis of its own, which it may end. */
  readonly ownRedis?: true
  /** Ends when nothing more has to be done but to wait until all is quiet. */
  happen(stage: Stage, redis: RunningStack | null): Promise<void>
}
