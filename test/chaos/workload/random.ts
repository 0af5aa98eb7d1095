/** Where all chance of a run comes from, so that its seed repeats it. */
export interface Random {
  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number
  chance(share: number): boolean
  oneOf<T>(list: readonly T[]): T
}

/** The generator called splitmix32, seeded with a number and the name of who draws. */
export function seededRandom(seed: number, who: string): Random {
  let state = seed >>> 0
  for (const char of who) state = Math.imul(state ^ char.charCodeAt(0), 0x9e3779b1) >>> 0
  const next = () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return { below, chance: (share) => next() < share, oneOf: (list) => list[below(list.length)]! }
}

/** The seed of SEED in the environment, or one by chance; whoever takes it prints it. */
export function chosenSeed(): number {
  const given = process.env.SEED
  return given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given)
}
