/** What a page of `ListObjectsV2` says of an object. */
export interface ListedObject {
  readonly name: string
  readonly bytes: number
  readonly renewedAtMs: number
}

/**
 * Reads a page of a listing. Only what is needed is looked for, and a name that has an entity in it is none of ours: ours have
 * letters, digits and `/-_` alone. Source: Amazon S3 API reference, ListObjectsV2.
 */
export function blobsOf(xml: string): { readonly objects: readonly ListedObject[]; readonly more: boolean } {
  const objects: ListedObject[] = []
  for (const [, content] of xml.matchAll(/<Contents>(.*?)<\/Contents>/gs))
    objects.push({
      name: textOf(content!, 'Key'),
      bytes: Number(textOf(content!, 'Size')),
      renewedAtMs: Date.parse(textOf(content!, 'LastModified')),
    })
  return { objects, more: textOf(xml, 'IsTruncated') === 'true' }
}

function textOf(xml: string, element: string): string {
  return new RegExp(`<${element}>([^<]*)</${element}>`).exec(xml)?.[1] ?? ''
}
