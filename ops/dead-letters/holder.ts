import { InvalidArgumentError } from 'commander'
import { TributaryError } from '../../schemas/errors.ts'
import type { Declaration, DeclaredSource } from '../declaration/declaration.ts'

/**
 * Whose dead letters are meant. Sources have those of capture. Those of subscribers have another form (the record's bytes) and another
 * way to be replayed; their commands are another folder beside capture/.
 * @throws TributaryError `declaration-invalid` for a name that is neither; InvalidArgumentError for a subscriber
 */
export function findHolder(declaration: Declaration, name: string): DeclaredSource {
  const source = declaration.sources.get(name)
  if (source !== undefined) return source
  if (declaration.subscribers.has(name))
    throw new InvalidArgumentError(
      `${name} is a subscriber, and the dead letters of subscribers cannot be listed, shown or replayed yet: \`tributary status\` ` +
        `counts them, and they are on topic ${declaration.name}.${name}.dead-letter`,
    )
  const names = (map: ReadonlyMap<string, unknown>) => [...map.keys()].join(', ') || 'none'
  throw new TributaryError(
    'declaration-invalid',
    `There is no source or subscriber ${name} in ${declaration.file}; sources: ${names(declaration.sources)}; ` +
      `subscribers: ${names(declaration.subscribers)}.`,
  )
}
