import { TributaryError } from '../../schemas/errors.ts'
import type { Declaration, DeclaredSource } from '../declaration/declaration.ts'
import type { findSubscriber } from '../process/delivery.ts'

export type Subscriber = ReturnType<typeof findSubscriber>

/** Whose dead letters are meant: those of a source are rows that capture could not encode, those of a subscriber what it refused. */
export type Holder =
  | { readonly kind: 'source'; readonly source: DeclaredSource }
  | { readonly kind: 'subscriber'; readonly subscriber: Subscriber }

/**
 * @param asSubscriber whether the subscriber is meant where a source has the same name
 * @throws TributaryError `declaration-invalid` for a name that is neither
 */
export function findHolder(declaration: Declaration, name: string, asSubscriber = false): Holder {
  const source = declaration.sources.get(name)
  const subscriber = declaration.subscribers.get(name)
  if (subscriber !== undefined && (asSubscriber || source === undefined)) return { kind: 'subscriber', subscriber }
  if (source !== undefined && !asSubscriber) return { kind: 'source', source }
  const names = (map: ReadonlyMap<string, unknown>) => [...map.keys()].join(', ') || 'none'
  const sources = asSubscriber ? '' : `sources: ${names(declaration.sources)}; `
  throw new TributaryError(
    'declaration-invalid',
    `There is no ${asSubscriber ? '' : 'source or '}subscriber ${name} in ${declaration.file}; ${sources}` +
      `subscribers: ${names(declaration.subscribers)}.`,
  )
}
