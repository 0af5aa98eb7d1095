import type { EntityMapping, Patch, RequestPreview } from '../destination.ts'
import { collection, singleBody } from './apply.ts'
import { isPlainKey, type Paths } from './paths.ts'
import { keyFieldOf, renderFields } from './record/fields.ts'
import { requestHeaders } from './session.ts'

/** The request that one patch alone would make. An id that a query finds first stands as `{id}`. */
export function previewOf(
  url: string,
  paths: Paths,
  originClient: string,
  mapping: EntityMapping,
  patch: Patch,
): RequestPreview {
  const preview = (method: string, path: string, body: string | null): RequestPreview => ({
    request: `${method} ${url}${path}`,
    headers: { authorization: 'Bearer …', ...requestHeaders(originClient, body !== null) },
    body,
  })
  if (patch.kind === 'delete') {
    if (mapping.onDelete === 'ignore') return { request: 'none: deletes are ignored', headers: {}, body: null }
    return preview('DELETE', paths.deleteMany(['id']).replace('ids=id', 'ids={id}'), null)
  }
  const rendered = renderFields(mapping, patch.fields)
  if (!rendered.ok) return { request: `none: ${rendered.code}, ${rendered.reason}`, headers: {}, body: null }
  const { members } = rendered
  if (patch.full && !mapping.updateOnly) {
    const key = `,${JSON.stringify(keyFieldOf(mapping))}:${JSON.stringify(patch.key)}`
    return preview(
      'PATCH',
      paths.upsertMany(mapping),
      collection(mapping, [members], (item) => key + item),
    )
  }
  if (isPlainKey(patch.key)) return preview('PATCH', paths.updateOne(mapping, patch.key), singleBody(members))
  return preview(
    'PATCH',
    paths.updateMany(),
    collection(mapping, [members], (item) => `,"id":"{id}"${item}`),
  )
}
