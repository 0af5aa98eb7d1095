import type { ErrorCode } from '../../../schemas/errors.ts'
import type { ServiceName, StackProgress } from '../services.ts'

/** What a supervisor is told first. */
export interface StackOrder {
  readonly dataDir: string
  readonly services: readonly ServiceName[]
  readonly durable: boolean
  /** Attached: the servers end with the process that started them. Detached: they go on once they are ready. */
  readonly attached: boolean
}

/** From the process that started the supervisor. */
export type StackRequest =
  | { readonly kind: 'start'; readonly order: StackOrder }
  | { readonly kind: 'stop' }
  | { readonly kind: 'restart' | 'kill'; readonly id: number; readonly service: ServiceName }

/** From the supervisor. */
export type StackReport =
  | { readonly kind: 'progress'; readonly progress: StackProgress }
  | { readonly kind: 'ready'; readonly ports: Partial<Record<ServiceName, number>> }
  | { readonly kind: 'failed'; readonly error: ErrorReport }
  | { readonly kind: 'answer'; readonly id: number; readonly error?: ErrorReport }

/** An error on its way between processes; undefined code: not one of ours. */
export interface ErrorReport {
  readonly code?: ErrorCode
  readonly message: string
}
