import { didYouMean, type Path } from '../problem.ts'

/** Values of a file whose form may be wrong: checks across parts look at what is right and pass over the rest. */

export type Mapping = Readonly<Record<string, unknown>>

/** Says that something is wrong at a path. */
export type Report = (path: Path, message: string, suggestion?: string, at?: 'key' | 'value') => void

/** A value as it may be shown in a message: by its reference where it came from the environment. */
export type Shown = (path: Path, value: string) => string

export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function mappingOf(value: unknown): Mapping {
  return isMapping(value) ? value : {}
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** The nearest known name, unless the name itself may not be shown. */
export function suggestName(name: string, known: readonly string[], shown: string): string | undefined {
  return shown.includes('${') ? undefined : didYouMean(name, known)
}
