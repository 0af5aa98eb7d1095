import { join } from 'node:path'
import { openFolderStore } from '../../connectors/blobs/folder.ts'
import { openS3Store } from '../../connectors/blobs/s3.ts'
import type { BlobStore } from '../../connectors/blobs/store.ts'
import type { Declaration } from '../declaration/declaration.ts'

/**
 * The declared store of large values; null when there is none. Opens no connection yet. Each pipeline has a part of its own in it, so that
 * none collects what another refers to.
 */
export function openBlobStore({ blobs, name }: Declaration): BlobStore | null {
  if (blobs === null) return null
  if (blobs.type === 'folder') return openFolderStore(join(blobs.path, name))
  return openS3Store({ ...blobs, prefix: `${blobs.prefix}${name}/` })
}
