import { type InventedCustomer, inventCustomer } from './customer.ts'
import { type Random, seededRandom } from './random.ts'

/** What the ERP holds when the workload starts. */
export interface Ground {
  readonly customers: { readonly first: number; readonly last: number }
  readonly products: { readonly first: number; readonly last: number }
  readonly locations: readonly string[]
}

export interface OrderLine {
  readonly productId: number
  readonly location: string
  readonly quantity: number
}

export interface OpenOrder {
  readonly orderId: string
  readonly customerId: number
  readonly total: string
  readonly lines: readonly OrderLine[]
}

/** One business transaction: what it does, and how many rows it is expected to change. */
export type Action = { readonly changes: number } & (
  | { readonly kind: 'order-created'; readonly order: OpenOrder; readonly note: string | null }
  | { [K in OrderStep]: { readonly kind: K; readonly order: OpenOrder; readonly from: Stage } }[OrderStep]
  | { readonly kind: 'stock-counted'; readonly lines: readonly OrderLine[] }
  | { readonly kind: 'credit-raised'; readonly customerId: number; readonly by: number }
  | { readonly kind: 'address-changed'; readonly customerId: number; readonly to: InventedCustomer }
  | { readonly kind: 'phone-changed'; readonly customerId: number; readonly to: InventedCustomer }
  | { readonly kind: 'price-changed'; readonly productIds: readonly number[]; readonly percent: number }
  | { readonly kind: 'customer-added'; readonly customer: InventedCustomer }
  | { readonly kind: 'rolled-back'; readonly lines: readonly OrderLine[]; readonly customerId: number }
)

export type ActionKind = Action['kind']
type Stage = 'draft' | 'confirmed' | 'shipped' | 'invoiced' | 'cancelled'
type OrderStep =
  | 'order-confirmed'
  | 'order-shipped'
  | 'invoice-issued'
  | 'invoice-paid'
  | 'order-cancelled'
  | 'order-deleted'

/** Open orders remembered per stage; when it is full the oldest is forgotten and stays as it is. */
export const OPEN_ORDERS_MAX = 2_000
/** Customers with the lowest numbers are never changed by the workload: they are for the person who watches. */
export const CUSTOMERS_LEFT_ALONE = 99
const LINES_MAX = 3

const WEIGHTS: readonly (readonly [ActionKind, number])[] = [
  ['order-created', 18],
  ['order-confirmed', 16],
  ['order-shipped', 13],
  ['invoice-issued', 12],
  ['invoice-paid', 10],
  ['order-cancelled', 2],
  ['order-deleted', 2],
  ['stock-counted', 6],
  ['credit-raised', 6],
  ['address-changed', 4],
  ['phone-changed', 3],
  ['price-changed', 4],
  ['customer-added', 2],
  ['rolled-back', 2],
]
const WEIGHT_TOTAL = WEIGHTS.reduce((sum, [, weight]) => sum + weight, 0)

/** Where an order step takes its order from, and where the order is afterwards (null: no longer followed). */
const STEPS: Readonly<Record<OrderStep, { from: readonly Stage[]; to: Stage | null }>> = {
  'order-confirmed': { from: ['draft'], to: 'confirmed' },
  'order-shipped': { from: ['confirmed'], to: 'shipped' },
  'invoice-issued': { from: ['shipped'], to: 'invoiced' },
  'invoice-paid': { from: ['invoiced'], to: null },
  'order-cancelled': { from: ['invoiced', 'confirmed'], to: 'cancelled' },
  'order-deleted': { from: ['cancelled'], to: null },
}

/**
 * Decides what happens next in the business: a seeded draw over the actions, and each order at most one step at a time.
 * @param newOrderId identities come from outside: a repeated seed must not repeat them
 */
export class WorkloadPlan {
  readonly #ground: Ground
  readonly #random: Random
  readonly #newOrderId: () => string
  readonly #open: Record<Stage, OpenOrder[]> = { draft: [], confirmed: [], shipped: [], invoiced: [], cancelled: [] }

  constructor(ground: Ground, seed: number, newOrderId: () => string) {
    this.#ground = ground
    this.#random = seededRandom(seed)
    this.#newOrderId = newOrderId
  }

  next(): Action {
    const kind = this.#drawKind()
    if (!isOrderStep(kind)) return this.#plain(kind)
    const from = STEPS[kind].from.find((stage) => this.#open[stage].length > 0)
    if (!from) return this.#plain('order-created')
    const order = this.#take(from)
    const lines = order.lines.length
    const changes = { 'order-confirmed': 1 + lines, 'order-shipped': 1 + lines, 'invoice-issued': 1, 'invoice-paid': 2 }
    if (kind === 'order-cancelled') return { kind, order, from, changes: from === 'confirmed' ? 1 + lines : 1 }
    return { kind, order, from, changes: kind === 'order-deleted' ? 1 : changes[kind] }
  }

  /**
   * Told when an action ended. `done`: its order goes on to the next stage. `undone`: surely without effect, it may be tried again.
   * `unknown`: the connection broke, so the order is not followed any more.
   */
  settle(action: Action, how: 'done' | 'undone' | 'unknown'): void {
    if (how === 'unknown') return
    if (action.kind === 'order-created') {
      if (how === 'done') this.#put('draft', action.order)
    } else if ('from' in action) {
      const stage = how === 'done' ? STEPS[action.kind].to : action.from
      if (stage) this.#put(stage, action.order)
    }
  }

  #drawKind(): ActionKind {
    let draw = this.#random.below(WEIGHT_TOTAL)
    for (const [kind, weight] of WEIGHTS) {
      if (draw < weight) return kind
      draw -= weight
    }
    return 'order-created'
  }

  #plain(kind: Exclude<ActionKind, OrderStep>): Action {
    const random = this.#random
    switch (kind) {
      case 'order-created': {
        const total = (15 + 5_000 * random.share() ** 4).toFixed(2)
        const order = {
          orderId: this.#newOrderId(),
          customerId: this.#customer(),
          total,
          lines: this.#lines(LINES_MAX),
        }
        return { kind, order, note: random.below(6) === 0 ? 'Call before delivery' : null, changes: 1 }
      }
      case 'stock-counted': {
        const lines = this.#lines(8)
        return { kind, lines, changes: lines.length }
      }
      case 'credit-raised':
        return { kind, customerId: this.#customerToChange(), by: 250 * (1 + random.below(10)), changes: 1 }
      case 'address-changed':
      case 'phone-changed':
        return { kind, customerId: this.#customerToChange(), to: inventCustomer(random), changes: 1 }
      case 'price-changed': {
        const productIds = [...new Set(Array.from({ length: 1 + random.below(3) }, () => this.#product()))].sort(
          (a, b) => a - b,
        )
        return { kind, productIds, percent: random.below(17) - 6, changes: productIds.length }
      }
      case 'customer-added':
        return { kind, customer: inventCustomer(random), changes: 1 }
      case 'rolled-back':
        return { kind, lines: this.#lines(LINES_MAX), customerId: this.#customerToChange(), changes: 1 }
    }
  }

  /** Distinct stock rows in key order, which is the order in which they are locked: two transactions cannot wait for each other. */
  #lines(max: number): readonly OrderLine[] {
    const lines = new Map<string, OrderLine>()
    for (let count = 1 + this.#random.below(max); count > 0; count--) {
      const line = {
        productId: this.#product(),
        location: this.#random.oneOf(this.#ground.locations),
        quantity: 1 + this.#random.below(6),
      }
      lines.set(`${line.productId} ${line.location}`, line)
    }
    return [...lines.values()].sort(
      (a, b) => a.productId - b.productId || (a.location < b.location ? -1 : a.location > b.location ? 1 : 0),
    )
  }

  /** Some customers and products are far busier than others. */
  #skewed(range: { first: number; last: number }): number {
    return range.first + Math.floor((range.last - range.first + 1) * this.#random.share() ** 2)
  }

  #customer(): number {
    return this.#skewed(this.#ground.customers)
  }

  #customerToChange(): number {
    const { first, last } = this.#ground.customers
    return this.#skewed({ first: Math.min(first + CUSTOMERS_LEFT_ALONE, last), last })
  }

  #product(): number {
    return this.#skewed(this.#ground.products)
  }

  #take(stage: Stage): OpenOrder {
    const orders = this.#open[stage]
    const at = this.#random.below(orders.length)
    const order = orders[at]!
    orders[at] = orders[orders.length - 1]!
    orders.pop()
    return order
  }

  #put(stage: Stage, order: OpenOrder): void {
    const orders = this.#open[stage]
    if (orders.length >= OPEN_ORDERS_MAX) orders.shift()
    orders.push(order)
  }
}

function isOrderStep(kind: ActionKind): kind is OrderStep {
  return kind in STEPS
}
