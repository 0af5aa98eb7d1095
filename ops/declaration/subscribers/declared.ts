import type { EntityMapping } from '../../../connectors/destination.ts'
import type { SubscriberType } from './kinds.ts'

/** What all systems that are reached over HTTP have in common. */
export interface RequestOptions {
  /** Private and reserved addresses that may be connected to. */
  readonly allowAddresses: readonly string[]
  /** How long one request may take. */
  readonly timeoutMs: number
  /** After this time a request that got no answer can no longer take effect. */
  readonly lateRequestMs: number
}

interface ClientCredentials {
  readonly tokenUrl: string
  readonly clientId: string
  readonly clientSecret: string
}

/** How each kind of system is reached. Holds secrets. */
export interface Connections {
  readonly warehouse: {
    readonly url: string
    /** The schema of its tables. */
    readonly schema: string
    readonly statementTimeoutMs: number
  }
  readonly dataverse: RequestOptions &
    ClientCredentials & {
      readonly url: string
      /** Whether writes are conditional on ETags. */
      readonly compare: boolean
    }
  readonly 'finance-operations': RequestOptions & ClientCredentials & { readonly url: string; readonly company: string }
  readonly 'business-central': RequestOptions & ClientCredentials & { readonly url: string; readonly company: string }
  readonly salesforce: RequestOptions & {
    readonly url: string
    readonly clientId: string
    readonly clientSecret: string
    readonly apiVersion: string
  }
  readonly shopify: RequestOptions & {
    readonly url: string
    readonly accessToken: string
    readonly apiVersion: string
  }
  readonly http: RequestOptions & {
    readonly url: string
    /** What requests are signed with, the newest first; none: they are not signed. */
    readonly secrets: readonly string[]
    readonly headers: Readonly<Record<string, string>>
  }
}

/** How a key that fails alone is tried again. */
export interface RetryOptions {
  readonly attempts: number
  /** The pause after the first failure; each is twice the one before. */
  readonly firstMs: number
  /** How long it is tried from the dead-letter topic before it waits for a person. */
  readonly deadAfterMs: number
}

/** When a destination counts as down, and how it is asked whether it is back. */
export interface BreakerOptions {
  readonly failures: number
  readonly probeEveryMs: { readonly first: number; readonly most: number }
}

interface AnySubscriber {
  readonly name: string
  /** Batches of patches, or single requests, on their way at once. */
  readonly concurrency: number
  readonly retry: RetryOptions
  readonly breaker: BreakerOptions
  readonly mappings: readonly EntityMapping[]
}

/** A subscriber by its kind: `type` tells what `connection` holds. */
export type DeclaredSubscriber = {
  readonly [T in SubscriberType]: AnySubscriber & { readonly type: T; readonly connection: Connections[T] }
}[SubscriberType]
