/** A seeded source of chance, so that a run can be repeated. */
export interface Random {
  /** A whole number from 0 to `below` - 1. */
  below(below: number): number
  /** From 0 (included) to 1 (not included). */
  share(): number
  oneOf<T>(list: readonly T[]): T
}

/** The mulberry32 generator: small, fast and good enough to choose customers by. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const share = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number) => Math.floor(share() * limit)
  return { share, below, oneOf: (list) => list[below(list.length)]! }
}
