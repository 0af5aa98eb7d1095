import { openFolderStore } from '../../connectors/blobs/folder.ts'
import { openS3Store } from '../../connectors/blobs/s3.ts'
import type { BlobStore } from '../../connectors/blobs/store.ts'
import type { Declaration } from '../declaration/declaration.ts'

/** The declared store of large values; null when there is none. Opens no connection yet. */
export function openBlobStore({ blobs }: Declaration): BlobStore | null {
  if (blobs === null) return null
  if (blobs.type === 'folder') return openFolderStore(blobs.path)
  return openS3Store(blobs)
}
