/** What `$metadata` says of an entity set: its properties and its key. */
export interface EntityType {
  readonly properties: ReadonlyMap<string, string>
  readonly key: readonly string[]
}

/**
 * Finds the type of an entity set in an OData metadata document (OData-CSDL-XML 4.0). By its tags alone, without a parser of XML: the
 * documents of these systems have megabytes, and only a few tags of them matter. Null where there is no such set.
 */
export function entityTypeOf(document: string, entitySet: string): EntityType | null {
  const set = findTag(document, 'EntitySet', 'Name', entitySet)
  const typeName = set && attribute(set.tag, 'EntityType')?.split('.').at(-1)
  const type = typeName ? findTag(document, 'EntityType', 'Name', typeName) : null
  if (type === null) return null
  const body = document.slice(type.end, document.indexOf('</EntityType>', type.end))
  const properties = [...body.matchAll(/<Property\s[^>]*>/g)].map(
    ([tag]) => [attribute(tag, 'Name') ?? '', attribute(tag, 'Type') ?? ''] as const,
  )
  const key = [...body.matchAll(/<PropertyRef\s[^>]*>/g)].map(([tag]) => attribute(tag, 'Name') ?? '')
  return { properties: new Map(properties), key }
}

function findTag(document: string, element: string, name: string, value: string) {
  for (const match of document.matchAll(new RegExp(`<${element}\\s[^>]*>`, 'g')))
    if (attribute(match[0], name) === value) return { tag: match[0], end: match.index + match[0].length }
  return null
}

function attribute(tag: string, name: string): string | undefined {
  return new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1]
}
