import { type DocumentNode, type FieldNode, Kind, type OperationDefinitionNode, type SelectionSetNode } from 'graphql'

/** shopify.dev, "GraphQL Admin API rate limits": no single request may cost more. */
export const COST_MAX = 1_000

/** Names of the fields that are connections here: they cost as many objects as are asked for. */
const SCALAR_ONLY = new Set(['nodes', 'pageInfo', 'userErrors'])

/** What a request may cost at most: a mutation 10, an object 1, a connection as many objects as it asks for. */
export function requestedCost(document: DocumentNode, variables: Readonly<Record<string, unknown>>): number {
  const operation = document.definitions.find(
    (each): each is OperationDefinitionNode => each.kind === Kind.OPERATION_DEFINITION,
  )
  if (!operation) return 0
  const inner = selectionCost(operation.selectionSet, variables)
  const roots = operation.selectionSet.selections.length
  return operation.operation === 'mutation' ? inner + 10 * roots : inner
}

function selectionCost(set: SelectionSetNode, variables: Readonly<Record<string, unknown>>): number {
  let cost = 0
  for (const field of set.selections) {
    if (field.kind !== Kind.FIELD || !field.selectionSet || field.name.value === 'userErrors') continue
    const inner = selectionCost(field.selectionSet, variables)
    const first = firstOf(field, variables)
    cost += first === null ? inner + (SCALAR_ONLY.has(field.name.value) ? 0 : 1) : first * Math.max(inner, 1) + 2
  }
  return cost
}

function firstOf(field: FieldNode, variables: Readonly<Record<string, unknown>>): number | null {
  const value = field.arguments?.find(({ name }) => name.value === 'first')?.value
  if (value?.kind === Kind.INT) return Number(value.value)
  if (value?.kind === Kind.VARIABLE) return Number(variables[value.name.value] ?? 0)
  return null
}

/** What it cost: as was asked, but only for the objects that were there. */
export function actualCost(requested: number, data: unknown): number {
  return Math.min(requested, objectsIn(data) + 10)
}

function objectsIn(value: unknown): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, each) => sum + objectsIn(each), 0)
  if (typeof value !== 'object' || value === null) return 0
  return Object.values(value).reduce<number>((sum, each) => sum + objectsIn(each), 1)
}

export interface ThrottleStatus {
  readonly maximumAvailable: number
  readonly currentlyAvailable: number
  readonly restoreRate: number
}

/** A leaky bucket of points. */
export class PointBucket {
  readonly #maximum: number
  readonly #restorePerSecond: number
  readonly #now: () => number
  #available: number
  #at: number

  constructor(maximum: number, restorePerSecond: number, now: () => number) {
    this.#maximum = maximum
    this.#restorePerSecond = restorePerSecond
    this.#now = now
    this.#available = maximum
    this.#at = now()
  }

  /** Takes points, or nothing where there are too few; gives back what a negative number says. */
  take(points: number): boolean {
    const now = this.#now()
    const restored = ((now - this.#at) / 1000) * this.#restorePerSecond
    this.#available = Math.min(this.#available + restored, this.#maximum)
    this.#at = now
    if (points > this.#available) return false
    this.#available = Math.min(this.#available - points, this.#maximum)
    return true
  }

  empty(): void {
    this.#available = 0
    this.#at = this.#now()
  }

  get status(): ThrottleStatus {
    this.take(0)
    return {
      maximumAvailable: this.#maximum,
      currentlyAvailable: Math.floor(this.#available),
      restoreRate: this.#restorePerSecond,
    }
  }
}
