import { DELETE_POLICIES, type DeletePolicy } from '../../../connectors/destination.ts'

/** What a kind of subscriber can be asked for. */
export interface SubscriberKind {
  /** Batches, or single requests, on their way at once. */
  readonly concurrency: { readonly default: number; readonly max: number }
  /** What it can do with a delete, the default first. */
  readonly policies: readonly DeletePolicy[]
  /** How many destination fields hold a key: `none` where it keeps keys its own way. */
  readonly keyFields: 'none' | 'one' | 'several'
  /** Whether a transform may make what an object is found by. */
  readonly keyTransforms: boolean
  /** Whether destination fields can refer to other objects there. */
  readonly lookups: boolean
  /** Whether names of destination fields that differ in case only are the same name. */
  readonly foldsCase: boolean
}

const REQUESTS = { default: 16, max: 1000 }

/** Every kind of subscriber, by the word for its `type`. */
export const KINDS = {
  warehouse: {
    concurrency: { default: 4, max: 32 },
    policies: DELETE_POLICIES,
    keyFields: 'none',
    keyTransforms: false,
    lookups: false,
    foldsCase: true,
  },
  dataverse: {
    concurrency: REQUESTS,
    policies: ['hard', 'soft', 'ignore'],
    keyFields: 'several',
    keyTransforms: true,
    lookups: true,
    foldsCase: true,
  },
  'finance-operations': {
    concurrency: REQUESTS,
    policies: ['hard', 'ignore'],
    keyFields: 'several',
    keyTransforms: true,
    lookups: true,
    foldsCase: true,
  },
  'business-central': {
    concurrency: REQUESTS,
    policies: ['hard', 'ignore'],
    keyFields: 'several',
    keyTransforms: true,
    lookups: true,
    foldsCase: true,
  },
  salesforce: {
    concurrency: REQUESTS,
    policies: ['hard', 'ignore'],
    keyFields: 'one',
    keyTransforms: false,
    lookups: true,
    foldsCase: true,
  },
  shopify: {
    concurrency: REQUESTS,
    policies: ['hard', 'soft', 'archive', 'ignore'],
    keyFields: 'several',
    keyTransforms: false,
    lookups: true,
    foldsCase: false,
  },
  http: {
    concurrency: REQUESTS,
    policies: ['hard', 'ignore'],
    keyFields: 'none',
    keyTransforms: false,
    lookups: false,
    foldsCase: false,
  },
} as const satisfies Readonly<Record<string, SubscriberKind>>

export type SubscriberType = keyof typeof KINDS

export const SUBSCRIBER_TYPES = Object.keys(KINDS) as readonly SubscriberType[]

export function isSubscriberType(text: string | undefined): text is SubscriberType {
  return text !== undefined && Object.hasOwn(KINDS, text)
}
