import { openBlobStore } from '../process/blobs.ts'
import type { Environment } from '../process/environment.ts'
import { ask, decided } from './answer.ts'
import { type Finding, fail, ok } from './finding.ts'

/** Asks the store of large values, where one is declared. Changes nothing. */
export async function lookAtBlobs({ declaration }: Environment): Promise<readonly Finding[]> {
  const store = openBlobStore(declaration)
  const subject = 'large values'
  if (store === null) return [ok('blobs-store', subject, 'no store is declared: they travel in their records')]
  const answer = await ask('blob-store-unreachable', 'the store of large values', store.plan())
  return decided('blobs-store', subject, answer, (missing) =>
    missing.length === 0
      ? [ok('blobs-store', subject, 'the store answers and is ready')]
      : [fail('blobs-store', subject, missing.join('; '), 'tributary provision')],
  )
}
