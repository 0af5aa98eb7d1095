import type { Machine } from '../support/machine.ts'
import type { DebeziumName } from './worker/settings.ts'

export type Scenario = 'capture' | 'apply' | 'latency' | 'restart'
export const SCENARIOS: readonly Scenario[] = ['capture', 'apply', 'latency', 'restart']

export type Contender = 'bare' | 'tributary' | DebeziumName

/** What one contender did in one scenario, once. */
export interface Run {
  readonly scenario: Scenario
  readonly contender: Contender
  readonly round: number
  /** How busy the machine was just before. */
  readonly load: number
  readonly figures: Readonly<Record<string, number>>
  /** Why its figures count for nothing; null when its rows were those of the source. */
  readonly void: string | null
}

/** The file that a comparison leaves. */
export interface Results {
  readonly startedAt: string
  readonly minutes: number
  readonly machine: Machine
  readonly options: {
    readonly rows: number
    readonly keys: number
    readonly repeat: number
    readonly rates: readonly number[]
    readonly seconds: number
    readonly beside: readonly DebeziumName[]
  }
  readonly versions: Readonly<Record<string, string>>
  readonly runs: readonly Run[]
}
