/** What the vendor calls an object. */
export interface ObjectIds {
  readonly id: string
  /** Of a variant. */
  readonly productId?: string
  /** Of a variant. */
  readonly inventoryItemId?: string
}

/** About 5 MB. */
const IDS_MAX = 20_000
/** Someone may give an object another handle or SKU: after this it is looked up again. */
const ID_MS_MAX = 600_000

/** Ids of objects that were found, so that a change is one request. Those used longest ago go first. */
export class IdCache {
  readonly #ids = new Map<string, { readonly ids: ObjectIds; readonly untilMs: number }>()
  readonly #now: () => number

  /** @param now of a monotonic clock, in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  get size(): number {
    return this.#ids.size
  }

  get(target: string, key: string): ObjectIds | undefined {
    const name = nameOf(target, key)
    const kept = this.#ids.get(name)
    if (kept === undefined) return undefined
    this.#ids.delete(name)
    if (kept.untilMs <= this.#now()) return undefined
    this.#ids.set(name, kept)
    return kept.ids
  }

  keep(target: string, key: string, ids: ObjectIds): void {
    const name = nameOf(target, key)
    this.#ids.delete(name)
    this.#ids.set(name, { ids, untilMs: this.#now() + ID_MS_MAX })
    if (this.#ids.size > IDS_MAX) this.#ids.delete(this.#ids.keys().next().value!)
  }

  forget(target: string, key: string): void {
    this.#ids.delete(nameOf(target, key))
  }
}

function nameOf(target: string, key: string): string {
  return `${target}\0${key}`
}
